package io.trainingday.bench;

import io.trainingday.bench.cold.ColdBenchCommand;
import io.trainingday.bench.disk.DiskBenchCommand;
import io.trainingday.bench.local.LocalBenchCommand;
import io.trainingday.bench.peer.PeerBenchCommand;
import io.trainingday.bench.plan.PlanBenchCommand;
import io.trainingday.bench.policy.PolicyBenchCommand;
import io.trainingday.bench.pressure.PressureBenchCommand;
import io.trainingday.bench.publish.PublishBenchCommand;
import picocli.CommandLine.Command;

/** {@code training-day bench}: programs that measure, each a sub-command. */
@Command(
    name = "bench",
    description = "Measure this machine.",
    mixinStandardHelpOptions = true,
    subcommands = {
      LocalBenchCommand.class,
      PeerBenchCommand.class,
      PublishBenchCommand.class,
      DiskBenchCommand.class,
      PolicyBenchCommand.class,
      PressureBenchCommand.class,
      ColdBenchCommand.class,
      PlanBenchCommand.class
    },
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "",
      "Each prints a table, or with --json what is in it, with units in the names. Example:",
      "  training-day bench local --json | jq '.rows[] | {path, bytesPerSecond}'"
    })
public final class BenchCommand {
  /** Made by picocli. */
  public BenchCommand() {}
}
