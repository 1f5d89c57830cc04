package io.trainingday.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What {@code completion} prints, sourced by a real bash, which is asked as at the tab key. */
class CompletionTest {
  /** Outside of a completion bash has no {@code compopt}, and says so. */
  private static final String ASK =
      """
      ask() {
        COMP_LINE="$1" COMP_POINT=${#1} COMPREPLY=()
        read -r -a COMP_WORDS <<<"$1"
        if [[ $1 == *" " ]]; then COMP_WORDS+=(""); fi
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _complete_training-day 2>/dev/null
        echo "${COMPREPLY[*]}"
      }
      """;

  private static Path folder;

  @BeforeAll
  static void printScript(@TempDir Path directory) throws IOException {
    folder = directory;
    CommandLineRun run = CommandLineRun.of("completion");
    assertThat(run.exitCode()).isZero();
    Files.writeString(directory.resolve("completion"), run.out());
    Files.writeString(directory.resolve("settings.yaml"), "");
  }

  @Test
  void script_registersTheProgram() throws Exception {
    assertThat(bash("complete -p training-day", ""))
        .isEqualTo("complete -o default -F _complete_training-day training-day");
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '"',
      delimiter = '|',
      value = {
        "\"training-day expl\"                         | explain",
        "\"training-day config \"                      | check reference",
        "\"training-day --debug config ch\"            | check",
        "\"training-day serve --conf\"                 | --config",
        "\"training-day config reference --format \"   | yaml xml",
        "\"training-day config reference --format y\"  | yaml",
        "\"training-day bench p\"                      | peer publish policy pressure plan",
        "\"training-day publish pets --source\"        | --source-length --source-digest",
        "\"training-day serve --config FOLDER/set\"    | FOLDER/settings.yaml",
        "\"training-day config check FOLDER/set\"      | FOLDER/settings.yaml",
        "\"training-day grid-\"                        | \"\"",
      })
  void tab_offersVerbsOptionsAndValues(String line, String offered) throws Exception {
    assertThat(bash("ask \"$1\"", line.replace("FOLDER", folder.toString())))
        .isEqualTo(offered.replace("FOLDER", folder.toString()));
  }

  private static String bash(String command, String line) throws Exception {
    Process bash =
        new ProcessBuilder(
                "bash",
                "--norc",
                "-c",
                ASK + "source '" + folder + "/completion'\n" + command,
                "bash",
                line)
            .redirectErrorStream(true)
            .start();
    String out = new String(bash.getInputStream().readAllBytes(), UTF_8);
    assertThat(bash.waitFor()).as(out).isZero();
    return out.strip();
  }
}
