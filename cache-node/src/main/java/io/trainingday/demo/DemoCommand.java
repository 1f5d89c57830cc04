package io.trainingday.demo;

import ai.djl.translate.TranslateException;
import io.trainingday.answer.Output;
import io.trainingday.client.SampleLoadException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * {@code training-day demo}: trains a small convolutional network on real images.
 *
 * <p>Prints a table to standard output, or JSON; exit code 0, 1 if the training failed, 2 for an
 * option that is wrong.
 */
@Command(
    name = "demo",
    description = "Train a small convolutional network on real images through the cache.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class DemoCommand implements Callable<Integer> {
  private static final int MAX_EPOCHS = 10_000;
  private static final int MAX_BATCH_SIZE = 4_096;

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      defaultValue = "10",
      description = "how often to train on every sample (default: ${DEFAULT-VALUE})")
  private int epochs;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "64",
      description = "samples per step (default: ${DEFAULT-VALUE})")
  private int batchSize;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "42",
      description =
          "decides initial weights and order; same seed, same losses and weights"
              + " (default: ${DEFAULT-VALUE})")
  private long seed;

  @Option(
      names = "--images",
      paramLabel = "DIR",
      description =
          "train on your own PNG and JPEG files, one sub-folder per class (default: the 1,797"
              + " handwritten digits that come with it)")
  private @Nullable Path images;

  @Option(
      names = "--no-cache",
      description = "load every sample in every epoch; losses and weights are the same")
  private boolean noCache;

  @Option(
      names = "--socket",
      paramLabel = "PATH",
      description =
          "the socket of a node that runs already, see `training-day serve` (default: a node of its"
              + " own, in this process)")
  private @Nullable Path socket;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description = "write the numbers as JSON to this file too")
  private @Nullable Path report;

  @Mixin private Output output = new Output();

  /** Made by picocli. */
  public DemoCommand() {}

  @Override
  public Integer call() throws IOException, TranslateException {
    check("--epochs", epochs, MAX_EPOCHS);
    check("--batch-size", batchSize, MAX_BATCH_SIZE);
    if (noCache && socket != null) {
      throw wrong("--no-cache and --socket=" + socket + " exclude each other, leave one out");
    }
    PyTorch.engine();
    DemoInput input = input();
    ReportFile reportFile = report == null ? null : reportFile(report);
    output.tell(input.description());
    TrainingResult result;
    try (SampleSource source = source(input)) {
      result = train(input, source);
    } catch (RuntimeException e) {
      commandLine().getErr().println("error: " + loadFailure(e).getMessage());
      return CommandLine.ExitCode.SOFTWARE;
    }
    output.print(ReportFile.json(result), () -> Summary.of(result));
    if (reportFile != null) {
      reportFile.write(result);
    }
    return CommandLine.ExitCode.OK;
  }

  private SampleSource source(DemoInput input) throws IOException, TranslateException {
    if (noCache) {
      return SampleSource.origin(input);
    }
    if (socket == null) {
      return SampleSource.embedded(input);
    }
    try {
      return SampleSource.attached(input, socket);
    } catch (IllegalArgumentException e) {
      throw wrong(e.getMessage());
    }
  }

  private TrainingResult train(DemoInput input, SampleSource source)
      throws IOException, TranslateException {
    try (Training training = new Training(input, seed, batchSize)) {
      List<EpochResult> results = new ArrayList<>();
      for (int epoch = 1; epoch <= epochs; epoch++) {
        String task = "epoch %d/%d".formatted(epoch, epochs);
        try (Progress progress = Progress.start(task, source.data().size())) {
          results.add(training.epoch(epoch, source, progress));
        }
      }
      return new TrainingResult(results, training.accuracy(input.test()), training.weightsSha256());
    }
  }

  private void check(String option, int value, int max) {
    if (value < 1 || value > max) {
      throw wrong(String.format(Locale.ROOT, "%s=%d is outside 1..%,d", option, value, max));
    }
  }

  private DemoInput input() throws IOException {
    if (images == null) {
      return DemoInput.digits();
    }
    try {
      return DemoInput.pictures(images);
    } catch (IllegalArgumentException e) {
      throw wrong(e.getMessage());
    }
  }

  private ReportFile reportFile(Path path) {
    try {
      return ReportFile.at(path);
    } catch (IOException e) {
      throw wrong(
          "--report=%s cannot be written (%s); give a file in a folder that exists and is writable"
              .formatted(path, e));
    }
  }

  private ParameterException wrong(@Nullable String message) {
    return new ParameterException(commandLine(), String.valueOf(message));
  }

  private CommandLine commandLine() {
    if (spec == null) {
      throw new IllegalStateException("DemoCommand runs under picocli only");
    }
    return spec.commandLine();
  }

  /** Finds what could not be loaded inside the layers that data loading wraps it in. */
  private static Exception loadFailure(RuntimeException failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof SampleLoadException || cause instanceof IOException) {
        return (Exception) cause;
      }
    }
    throw failure;
  }
}
