package io.trainingday.config.format;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import io.trainingday.config.SettingsException.Problem;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Reads settings: what code sets goes over the environment, that over the file, that over the
 * defaults. All problems of all of them are told at once. Not thread-safe.
 *
 * <pre>{@code
 * Settings settings =
 *     SettingsReader.ofFile(Path.of("training-day.yaml"))
 *         .withEnvironment(System.getenv())
 *         .read();
 * }</pre>
 */
public final class SettingsReader {
  /** A settings file has no business to be larger: every key with its comment takes 6 KB. */
  private static final int MAX_FILE_BYTES = 256 << 10;

  private static final String REFERENCE = "training-day-reference.";

  private final Optional<Path> file;
  private final List<Consumer<Settings.Builder>> code = new ArrayList<>();
  private Map<String, String> environment = Map.of();

  private SettingsReader(Optional<Path> file) {
    this.file = file;
  }

  /**
   * Reads a file, YAML if its name ends in {@code .yaml} or {@code .yml}, XML if in {@code .xml}.
   */
  public static SettingsReader ofFile(Path file) {
    return new SettingsReader(Optional.of(file));
  }

  /** Reads no file. */
  public static SettingsReader ofDefaults() {
    return new SettingsReader(Optional.empty());
  }

  /**
   * The settings of a file alone.
   *
   * @throws SettingsException listing all that is wrong with it
   */
  public static Settings read(Path file) {
    return ofFile(file).read();
  }

  /**
   * Takes settings from variables that begin with {@code TRAINING_DAY_CONFIG_}; all others are none
   * of its business.
   */
  public SettingsReader withEnvironment(Map<String, String> variables) {
    environment = Map.copyOf(variables);
    return this;
  }

  /** Sets a value over what the file and the environment say. */
  public <T> SettingsReader with(SettingKey<Settings, T> key, T value) {
    code.add(builder -> builder.set(key, value));
    return this;
  }

  /**
   * The settings.
   *
   * @throws SettingsException listing all that is wrong
   */
  public Settings read() {
    Settings.Builder settings = Settings.builder();
    file.ifPresent(path -> readFile(path, settings));
    Environment.read(environment, settings);
    code.forEach(set -> set.accept(settings));
    return settings.build(file.map(Path::toString).orElse("settings"));
  }

  /** The environment variables that give another process these settings. */
  public static Map<String, String> environment(Settings settings) {
    return Environment.of(settings);
  }

  /** The environment variable that sets a key; of a data set's key, the one of all data sets. */
  public static String variable(SettingKey<?, ?> key) {
    return Environment.name(key);
  }

  /**
   * The reference file: every key with its comment and default.
   *
   * @param format {@code yaml} or {@code xml}
   */
  public static String reference(String format) {
    if (!format.equals("yaml") && !format.equals("xml")) {
      throw new IllegalArgumentException("format=" + format + ", allowed: yaml or xml");
    }
    return Resources.text(REFERENCE + format);
  }

  private static void readFile(Path file, Settings.Builder settings) {
    String name = file.toString().toLowerCase(Locale.ROOT);
    boolean yaml = name.endsWith(".yaml") || name.endsWith(".yml");
    if (!yaml && !name.endsWith(".xml")) {
      settings.refuse(
          new Problem("file", file.toString(), "a name that ends in .yaml, .yml or .xml", ""));
      return;
    }
    text(file, settings).ifPresent(text -> read(text, yaml, settings));
  }

  private static void read(String text, boolean yaml, Settings.Builder settings) {
    try {
      Trees.read(
          yaml
              ? TreeBuilder.ofYaml(SourceParser.yaml(text), settings)
              : TreeBuilder.ofXml(SourceParser.xml(text), settings),
          settings);
    } catch (SourceParser.UnreadableException unreadable) {
      settings.refuse(unreadable.problem());
    }
  }

  private static Optional<String> text(Path file, Settings.Builder settings) {
    if (!Files.isRegularFile(file)) {
      settings.refuse(new Problem("file", file.toString(), "a file", "there is none"));
      return Optional.empty();
    }
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MAX_FILE_BYTES + 1);
      if (bytes.length > MAX_FILE_BYTES) {
        settings.refuse(
            new Problem("file", file.toString(), "at most " + MAX_FILE_BYTES + " bytes", ""));
        return Optional.empty();
      }
      return Optional.of(
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
    } catch (CharacterCodingException notUtf8) {
      settings.refuse(new Problem("file", file.toString(), "text in UTF-8", ""));
    } catch (IOException unreadable) {
      settings.refuse(
          new Problem("file", file.toString(), "a file that can be read", unreadable.toString()));
    }
    return Optional.empty();
  }
}
