package io.trainingday.bench;

import io.trainingday.bench.local.LocalBenchCommand;
import io.trainingday.bench.peer.PeerBenchCommand;
import picocli.CommandLine.Command;

/** {@code training-day bench}: programs that measure, each a sub-command. */
@Command(
    name = "bench",
    description = "Measure this machine.",
    mixinStandardHelpOptions = true,
    subcommands = {LocalBenchCommand.class, PeerBenchCommand.class},
    synopsisSubcommandLabel = "COMMAND")
public final class BenchCommand {
  /** Made by picocli. */
  public BenchCommand() {}
}
