package io.trainingday.cli;

import io.trainingday.config.SettingKey;
import io.trainingday.config.SettingKey.Kind;
import io.trainingday.config.format.SettingsReader;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What {@code config reference} answers of one setting; the names of the components are the keys.
 *
 * @param key {@code <name>} in it stands for a data set's
 * @param variable that sets it in the environment; one sets those of all data sets, as YAML
 * @param kind what a file holds there: text, integer, boolean or text-list
 * @param allowed in words
 * @param choices every allowed text; empty if there are too many
 * @param min of an integer, else null
 * @param max of an integer, else null
 * @param defaultValue as it is written in a file; null where unset has a meaning of its own
 * @param effect when a changed value counts: at-once, at-first-open (of a data set) or at-start
 */
record ReferenceRow(
    String key,
    String variable,
    String kind,
    String allowed,
    List<String> choices,
    @Nullable Long min,
    @Nullable Long max,
    @Nullable String defaultValue,
    String effect,
    String meaning) {

  static <O, T> ReferenceRow of(SettingKey<O, T> key) {
    boolean number = key.kind() == Kind.INTEGER;
    return new ReferenceRow(
        key.name(),
        SettingsReader.variable(key),
        words(key.kind()),
        key.allowed(),
        key.choices(),
        number ? key.min() : null,
        number ? key.max() : null,
        key.defaultValue().map(key::format).orElse(null),
        words(key.effect()),
        key.comment());
  }

  private static String words(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
