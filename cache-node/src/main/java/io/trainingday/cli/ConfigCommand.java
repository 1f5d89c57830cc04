package io.trainingday.cli;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.format.SettingsReader;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code training-day config}: settings files, checked and explained. */
@Command(
    name = "config",
    description = "Check settings, or print them all with what they mean.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND")
final class ConfigCommand {
  @Spec private @Nullable CommandSpec spec;

  private enum Format {
    YAML,
    XML
  }

  @Command(
      name = "check",
      description =
          "Check a settings file together with the TRAINING_DAY_CONFIG_* variables, as `serve`"
              + " would; print all problems, or the settings they make.",
      mixinStandardHelpOptions = true)
  void check(
      @Parameters(paramLabel = "FILE", description = "settings, .yaml, .yml or .xml") Path file) {
    Settings settings = SettingsSource.read(file, System.getenv());
    PrintWriter out = out();
    out.println("ok");
    SettingKey.all().forEach(key -> out.println(line(key, settings)));
    settings
        .datasets()
        .forEach(
            (name, dataset) ->
                SettingKey.ofDataset()
                    .forEach(
                        key ->
                            out.println(line(key, key.name().replace("<name>", name), dataset))));
    out.flush();
  }

  @Command(
      name = "reference",
      description = "Print a settings file that holds every key, its default and what it means.",
      mixinStandardHelpOptions = true)
  void reference(
      @Option(
              names = "--format",
              paramLabel = "FORMAT",
              defaultValue = "yaml",
              description = "yaml or xml (default: ${DEFAULT-VALUE})")
          Format format) {
    out().print(SettingsReader.reference(format.name().toLowerCase(Locale.ROOT)));
    out().flush();
  }

  private static <T> String line(SettingKey<Settings, T> key, Settings settings) {
    return line(key, key.name(), settings);
  }

  private static <O, T> String line(SettingKey<O, T> key, String name, O owner) {
    Optional<T> value = key.in(owner);
    String text = value.map(key::format).orElse("(unset)");
    return "  " + name + " = " + text + (value.equals(key.defaultValue()) ? "" : "   (set)");
  }

  private PrintWriter out() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return spec.commandLine().getOut();
  }
}
