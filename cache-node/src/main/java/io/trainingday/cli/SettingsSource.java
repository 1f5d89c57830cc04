package io.trainingday.cli;

import io.trainingday.config.Settings;
import io.trainingday.config.format.SettingsReader;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The settings a node starts with: defaults, then a file, then the environment. */
final class SettingsSource {
  private SettingsSource() {}

  /**
   * @throws io.trainingday.config.SettingsException listing all that is wrong
   */
  static Settings read(@Nullable Path file, Map<String, String> environment) {
    SettingsReader reader =
        file == null ? SettingsReader.ofDefaults() : SettingsReader.ofFile(file);
    return reader.withEnvironment(environment).read();
  }
}
