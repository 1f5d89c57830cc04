package io.trainingday.demo;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The result as JSON, for programs. */
final class ReportFile {
  private final Path path;

  private ReportFile(Path path) {
    this.path = path;
  }

  /**
   * Opens the file for writing once, so that a bad path is found before the training and not after.
   */
  static ReportFile at(Path path) throws IOException {
    Files.newByteChannel(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE).close();
    return new ReportFile(path);
  }

  void write(TrainingResult result) throws IOException {
    Files.writeString(path, json(result).toPrettyString() + "\n");
  }

  /** Where no cache was used it was asked for nothing: hits and misses are 0. */
  static ObjectNode json(TrainingResult result) {
    ObjectNode report = new ObjectMapper().createObjectNode();
    ArrayNode epochs = report.putArray("epochs");
    for (EpochResult epoch : result.epochs()) {
      CacheReads reads = epoch.reads();
      epochs
          .addObject()
          .put("epoch", epoch.epoch())
          .put("seconds", epoch.seconds())
          .put("samplesPerSecond", epoch.samplesPerSecond())
          .put("dataWaitSeconds", epoch.dataWaitSeconds())
          .put("hits", reads == null ? 0 : reads.hits())
          .put("misses", reads == null ? 0 : reads.misses())
          .put("originLoads", epoch.originLoads())
          .put("loss", epoch.loss());
    }
    return report
        .put("testAccuracy", result.testAccuracy())
        .put("weightsSha256", result.weightsSha256());
  }
}
