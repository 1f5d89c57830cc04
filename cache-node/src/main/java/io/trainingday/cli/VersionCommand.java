package io.trainingday.cli;

import io.trainingday.answer.Output;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code training-day version}: as {@code --version}, and as JSON. */
@Command(
    name = "version",
    description = "Show the version of this program.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class VersionCommand implements Callable<Integer> {
  @Mixin private Output output = new Output();

  /** The answer; the names of the components are its keys. */
  private record Answer(String version, String java) {}

  @Override
  public Integer call() {
    output.print(
        new Answer(Main.Version.text(), Runtime.version().toString()),
        () -> "training-day " + Main.Version.text());
    return Exit.OK.code();
  }
}
