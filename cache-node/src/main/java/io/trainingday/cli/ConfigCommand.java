package io.trainingday.cli;

import io.trainingday.answer.Output;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import io.trainingday.config.SettingsException.Problem;
import io.trainingday.config.format.SettingsReader;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code training-day config}: settings files, checked and explained. */
@Command(
    name = "config",
    description = "Check settings, or print them all with what they mean.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "",
      "Examples:",
      "  training-day config reference > node.yaml",
      "  training-day config check node.yaml",
      "  training-day config reference --json | jq '.[] | {key, effect}'"
    })
final class ConfigCommand {
  @Spec private @Nullable CommandSpec spec;

  private enum Format {
    YAML,
    XML;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Command(
      name = "check",
      description =
          "Check a settings file together with the TRAINING_DAY_CONFIG_* variables, as `serve`"
              + " would; print all problems, or the settings they make.",
      mixinStandardHelpOptions = true)
  int check(
      @Parameters(paramLabel = "FILE", description = "settings, .yaml, .yml or .xml") Path file,
      @Mixin Output output) {
    Settings settings;
    try {
      settings = SettingsSource.read(file, System.getenv());
    } catch (SettingsException wrong) {
      if (!output.isJson()) {
        throw wrong;
      }
      output.print(new Checked(false, wrong.problems(), Map.of()), () -> "");
      return Exit.USAGE.code();
    }
    Map<String, Value> values = values(settings);
    output.print(
        new Checked(true, List.of(), values),
        () ->
            values.entrySet().stream()
                .map(
                    one ->
                        "%n  %s = %s%s"
                            .formatted(
                                one.getKey(),
                                Objects.requireNonNullElse(one.getValue().value(), "(unset)"),
                                one.getValue().set() ? "   (set)" : ""))
                .collect(Collectors.joining("", "ok", "")));
    return Exit.OK.code();
  }

  /**
   * What {@code check} answers; the names of the components are the keys.
   *
   * @param settings by key, none where they are not valid
   */
  private record Checked(boolean valid, List<Problem> problems, Map<String, Value> settings) {}

  /**
   * Of one setting.
   *
   * @param value as it is written in a file; null when it has none
   * @param set whether it is another than its default
   */
  private record Value(@Nullable String value, boolean set) {}

  @Command(
      name = "reference",
      description =
          "Print a settings file that holds every key, its default and what it means; or, with"
              + " --json, a list of the same for programs.",
      mixinStandardHelpOptions = true)
  int reference(
      @Option(
              names = "--format",
              paramLabel = "FORMAT",
              description = "yaml or xml, of the file (default: yaml)")
          @Nullable Format format,
      @Mixin Output output) {
    if (format != null && output.isJson()) {
      throw new ParameterException(
          commandLine().getSubcommands().get("reference"),
          "--format=%s and --json exclude each other, leave one out".formatted(format));
    }
    output.print(
        Stream.concat(SettingKey.all().stream(), SettingKey.ofDataset().stream())
            .map(ReferenceRow::of)
            .toList(),
        () -> SettingsReader.reference((format == null ? Format.YAML : format).toString()));
    return Exit.OK.code();
  }

  private static Map<String, Value> values(Settings settings) {
    Map<String, Value> values = new LinkedHashMap<>();
    SettingKey.all().forEach(key -> values.put(key.name(), value(key, settings)));
    settings
        .datasets()
        .forEach(
            (name, dataset) ->
                SettingKey.ofDataset()
                    .forEach(
                        key ->
                            values.put(key.name().replace("<name>", name), value(key, dataset))));
    return values;
  }

  private static <O, T> Value value(SettingKey<O, T> key, O owner) {
    Optional<T> value = key.in(owner);
    return new Value(value.map(key::format).orElse(null), !value.equals(key.defaultValue()));
  }

  private CommandLine commandLine() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return spec.commandLine();
  }
}
