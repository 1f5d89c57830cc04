package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import io.trainingday.config.SettingsException.Problem;
import io.trainingday.config.format.SettingsReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class MainTest {
  private final Path directory;

  MainTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @Test
  void help_listsEveryVerbAndTheExitCodes() {
    CommandLineRun run = CommandLineRun.of("--help");

    assertThat(run.exitCode()).isZero();
    assertThat(run.out())
        .containsSubsequence("serve ", "status ", "config ", "demo ", "bench ", "Exit codes:");
  }

  @ParameterizedTest
  @ValueSource(strings = {"serve", "status", "config", "demo", "bench"})
  void help_ofAVerb_saysHowToUseIt(String verb) {
    CommandLineRun run = CommandLineRun.of(verb, "--help");

    assertThat(run.exitCode()).isZero();
    assertThat(run.out()).startsWith("Usage: training-day " + verb);
  }

  @Test
  void version_namesTheProgram() {
    assertThat(CommandLineRun.of("--version").out()).startsWith("training-day ");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'' | Missing required subcommand | training-day",
        "frobnicate | Unmatched argument at index 0: 'frobnicate' | training-day",
        "serve --port 1 | Unknown options: '--port', '1' | training-day serve",
        "grid --nodes many | Invalid value for option '--nodes': 'many' is no whole number from"
            + " -2147483648 to 2147483647 | training-day grid",
        "grid --run 99999999999 | Invalid value for option '--run': '99999999999' is no whole number"
            + " from -2147483648 to 2147483647 | training-day grid",
        "explain pets third | Invalid value for positional parameter at index 1 (INDEX): 'third' is"
            + " no whole number from -9223372036854775808 to 9223372036854775807 | training-day"
            + " explain",
        "explain pets -- -1 | index=-1, expected a number of 0 or more | training-day explain",
        "invalidate pets --yes -- 3 -1 | index=-1, expected a number of 0 or more | training-day"
            + " invalidate",
        "publish pets --source-digest x | Missing required argument(s): --source-length=SAMPLES |"
            + " training-day publish",
        "publish pets --source-length -5 | --source-length=-5, allowed: 0 or more | training-day"
            + " publish",
        "config | Missing required subcommand | training-day config",
        "config check | Missing required parameter: 'FILE' | training-day config check",
        "status --address here | address 'here' (from the address given): expected unix:PATH or"
            + " tcp://HOST:PORT | training-day status",
      })
  void commandLine_wrong_isTwoLinesAndExitCode2(String line, String problem, String command) {
    String[] args = line.isEmpty() ? new String[0] : line.split(" ", -1);

    CommandLineRun run = CommandLineRun.of(args);

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err().lines())
        .containsExactly("error: " + problem, "`" + command + " --help` shows what is there.");
  }

  @Test
  void configCheck_goodFile_printsTheSettingsItMakes() throws IOException {
    Path file = Files.writeString(directory.resolve("good.yaml"), "memory:\n  maxSize: 4GiB\n");

    CommandLineRun run = CommandLineRun.of("config", "check", file.toString());

    assertThat(run.exitCode()).isZero();
    assertThat(run.out().lines())
        .startsWith("ok")
        .contains("  memory.maxSize = 4GiB   (set)", "  grid.port = 47500");
  }

  @Test
  void configCheck_badFile_printsEveryProblem() throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("bad.yaml"), "memory:\n  maxsize: 4GiB\ngrid:\n  port: 80\n");

    CommandLineRun run = CommandLineRun.of("config", "check", file.toString());

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.out()).isEmpty();
    assertThat(run.err()).contains(": 2 problems", "memory.maxsize", "memory.maxSize", "grid.port");
  }

  @ParameterizedTest
  @ValueSource(strings = {"yaml", "xml"})
  void configReference_isAFileThatMakesTheDefaults(String format) throws IOException {
    CommandLineRun run = CommandLineRun.of("config", "reference", "--format", format);

    Path file = Files.writeString(directory.resolve("reference." + format), run.out());
    assertThat(run.exitCode()).isZero();
    assertThat(SettingsReader.read(file)).isEqualTo(Settings.defaults());
  }

  @Test
  void serve_settingsThatAreWrong_isExitCode2() {
    CommandLineRun run =
        CommandLineRun.of("serve", "--config", directory.resolve("none.yaml").toString());

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("none.yaml", "there is none");
  }

  @Test
  void status_noNode_saysWhereItLooked() {
    String address = "unix:" + directory.resolve("lane.sock");

    CommandLineRun run = CommandLineRun.of("status", "--address", address);

    assertThat(run.exitCode()).isEqualTo(3);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().lines())
        .singleElement()
        .asString()
        .startsWith("error: ")
        .contains(address);
  }

  @Test
  void error_ofOurs_isItsMessage() {
    SettingsException failure =
        new SettingsException("a.yaml", List.of(new Problem("x", "1", "2", "")));

    assertThat(printed(failure, false)).isEqualTo("error: a.yaml: 1 problem\n  x=1, allowed: 2\n");
    assertThat(ErrorText.exit(failure)).isEqualTo(Exit.USAGE);
  }

  @Test
  void error_ofOthers_isOneLineWithItsType() {
    IllegalStateException failure = new IllegalStateException("broken\n  here");

    assertThat(printed(failure, false))
        .isEqualTo("error: IllegalStateException: broken here (--debug shows where)\n");
    assertThat(printed(failure, true)).contains("\tat io.trainingday.cli.MainTest");
    assertThat(ErrorText.exit(failure)).isEqualTo(Exit.WRONG);
  }

  private static String printed(Throwable failure, boolean debug) {
    StringWriter err = new StringWriter();
    ErrorText.print(failure, debug, new PrintWriter(err));
    return err.toString().replace(System.lineSeparator(), "\n");
  }
}
