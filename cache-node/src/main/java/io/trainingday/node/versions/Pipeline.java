package io.trainingday.node.versions;

import io.trainingday.node.versions.DatasetRefusedException.Reason;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One preprocessing of one data set: its full fingerprint, and the schema of its records once the
 * first was filled.
 */
record Pipeline(String fingerprint, @Nullable Schema schema) {
  /**
   * What all records of the pipeline have in common, while no publish has replaced them all.
   *
   * @param incarnation of the data set when it was learned
   * @param floor of the data set when it was learned
   * @param family hash that records must share
   * @param description one line a field, {@code name: the rest}
   */
  record Schema(long incarnation, long floor, long family, String description) {
    /** Whether records of the data set as it is now still must have this schema. */
    boolean bindsAt(DatasetView view) {
      return incarnation == view.incarnation() && floor == view.floor();
    }
  }

  /** Refuses another fingerprint with the same hash. */
  void requireFingerprint(String other) {
    if (!fingerprint.equals(other)) {
      throw new DatasetRefusedException(
          Reason.COLLISION,
          "pipeline fingerprints \"%s\" and \"%s\" have the same 64-bit hash, add anything to the fingerprint"
              .formatted(Checks.shortened(other), Checks.shortened(fingerprint)));
    }
  }

  Pipeline withSchema(Schema learned) {
    return new Pipeline(fingerprint, learned);
  }

  /** The refusal of a record whose schema differs, naming the fields that do. */
  static DatasetRefusedException mismatch(String dataset, String kept, String offered) {
    return new DatasetRefusedException(
        Reason.SCHEMA_MISMATCH,
        "a record of data set \"%s\" does not fit its pipeline: %s; a preprocessing that makes other fields needs another pipeline fingerprint"
            .formatted(dataset, difference(kept, offered)));
  }

  private static String difference(String kept, String offered) {
    Map<String, String> keptFields = fields(kept);
    Map<String, String> offeredFields = fields(offered);
    List<String> differences = new ArrayList<>();
    keptFields.forEach(
        (name, field) -> {
          String other = offeredFields.get(name);
          if (other == null) {
            differences.add("field \"%s\" (%s) is missing".formatted(name, field));
          } else if (!other.equals(field)) {
            differences.add("field \"%s\" is %s, not %s".formatted(name, other, field));
          }
        });
    offeredFields.forEach(
        (name, field) -> {
          if (!keptFields.containsKey(name)) {
            differences.add("field \"%s\" (%s) is new".formatted(name, field));
          }
        });
    return differences.isEmpty()
        ? "its fields are in another order"
        : String.join(", ", differences);
  }

  private static Map<String, String> fields(String description) {
    Map<String, String> fields = new LinkedHashMap<>();
    description
        .lines()
        .forEach(
            line -> {
              int colon = line.indexOf(':');
              if (colon < 0) {
                fields.put(line.strip(), "");
              } else {
                fields.put(line.substring(0, colon).strip(), line.substring(colon + 1).strip());
              }
            });
    return fields;
  }
}
