package io.trainingday.cli;

import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code training-day completion}: what a shell needs to complete verbs and options. */
@Command(
    name = "completion",
    description = {
      "Print a script that makes bash or zsh complete verbs and options. In the shell, or in its"
          + " start-up file:",
      "source <(training-day completion)",
      "There is no --json: the answer is the script."
    },
    mixinStandardHelpOptions = true)
final class CompletionCommand implements Callable<Integer> {
  @Spec private @Nullable CommandSpec spec;

  @Override
  public Integer call() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    spec.commandLine()
        .getOut()
        .print(AutoComplete.bash(spec.root().name(), spec.root().commandLine()));
    spec.commandLine().getOut().flush();
    return Exit.OK.code();
  }
}
