package io.trainingday.cli;

import io.trainingday.bench.BenchCommand;
import io.trainingday.demo.DemoCommand;
import io.trainingday.processes.ParentPipe;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.TypeConversionException;

/**
 * {@code training-day}: a verb and its options.
 *
 * <p>Exit codes are those of {@link Exit}. A verb ended by signal n exits with 128 + n after it has
 * stopped in order.
 */
@Command(
    name = "training-day",
    description = "A cluster-wide cache for preprocessed machine-learning training samples.",
    mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT,
    versionProvider = Main.Version.class,
    subcommands = {
      ServeCommand.class,
      GridCommand.class,
      GridNodeCommand.class,
      StatusCommand.class,
      DatasetsCommand.class,
      DatasetCommand.class,
      WarmCommand.class,
      PublishCommand.class,
      InvalidateCommand.class,
      ExplainCommand.class,
      VerifyCommand.class,
      DrainCommand.class,
      ConfigCommand.class,
      VersionCommand.class,
      CompletionCommand.class
    },
    synopsisSubcommandLabel = "COMMAND")
public final class Main {
  // Present where demo and bench have their libraries; an image leaves them out.
  private static final String DEMO_LIBRARY = "ai.djl.Model";

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Show stack traces of errors.")
  private boolean debug;

  /** For a process that another one started and that must not outlive it. */
  static final String END_WITH_STDIN = "--end-with-stdin";

  private final Terminal terminal;

  private Main(Terminal terminal) {
    this.terminal = terminal;
  }

  /** Who can be asked. */
  Terminal terminal() {
    return terminal;
  }

  @Option(names = END_WITH_STDIN, scope = ScopeType.INHERIT, hidden = true)
  void endWithStdin(boolean on) {
    if (on) {
      ParentPipe.listen(
          new ParentPipe.Listener() {
            @Override
            public void stop() {
              System.exit(Exit.OK.code());
            }

            @Override
            public void orphaned() {
              System.exit(Exit.WRONG.code());
            }
          });
    }
  }

  public static void main(String[] args) {
    System.exit(run(utf8(System.out), utf8(System.err), args));
  }

  /** UTF-8 whatever the locale: tables hold more than ASCII. */
  private static PrintWriter utf8(PrintStream stream) {
    return new PrintWriter(stream, true, StandardCharsets.UTF_8);
  }

  /** Runs one command line and returns its exit code. */
  static int run(PrintWriter out, PrintWriter err, String... args) {
    return run(out, err, Terminal.ofProcess(), args);
  }

  /** As the other, where {@code terminal} is who can be asked. */
  static int run(PrintWriter out, PrintWriter err, Terminal terminal, String... args) {
    return new Main(terminal).commandLine().setOut(out).setErr(err).execute(args);
  }

  /** All verbs, as help and completion show them. */
  static CommandLine tree() {
    return new Main(Terminal.ofProcess()).commandLine();
  }

  private CommandLine commandLine() {
    CommandLine commandLine = new CommandLine(this);
    if (hasDemoLibraries()) {
      commandLine.addSubcommand(new DemoCommand()).addSubcommand(new BenchCommand());
    }
    tellExitCodes(commandLine);
    return commandLine
        .registerConverter(
            long.class, text -> number(text, Long::valueOf, Long.MIN_VALUE, Long.MAX_VALUE))
        .registerConverter(int.class, Main::wholeNumber)
        .registerConverter(Integer.class, Main::wholeNumber)
        .setUsageHelpAutoWidth(true)
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setParameterExceptionHandler(
            (wrong, arguments) -> {
              CommandLine command = wrong.getCommandLine();
              command.getErr().println("error: " + ErrorText.describe(wrong));
              command
                  .getErr()
                  .printf(
                      "`%s --help` shows what is there.%n",
                      command.getCommandSpec().qualifiedName());
              return Exit.USAGE.code();
            })
        .setExecutionExceptionHandler(
            (failure, command, parsed) -> {
              ErrorText.print(failure, debug, command.getErr());
              return ErrorText.exit(failure).code();
            });
  }

  private static Integer wholeNumber(String text) {
    return number(text, Integer::valueOf, Integer.MIN_VALUE, Integer.MAX_VALUE);
  }

  /** Of options and of samples. */
  private static <N> N number(String text, Function<String, N> parser, long min, long max) {
    try {
      return parser.apply(text);
    } catch (NumberFormatException e) {
      throw new TypeConversionException(
          "'%s' is no whole number from %d to %d".formatted(text, min, max));
    }
  }

  private static void tellExitCodes(CommandLine command) {
    command
        .getCommandSpec()
        .usageMessage()
        .exitCodeListHeading("%nExit codes:%n")
        .exitCodeList(Exit.list());
    command.getSubcommands().values().forEach(Main::tellExitCodes);
  }

  static boolean hasDemoLibraries() {
    return Main.class.getClassLoader().getResource(DEMO_LIBRARY.replace('.', '/') + ".class")
        != null;
  }

  /** The version in the jar's manifest. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"training-day " + text()};
    }

    static String text() {
      String version = Main.class.getPackage().getImplementationVersion();
      return version == null ? "(not packaged)" : version;
    }
  }
}
