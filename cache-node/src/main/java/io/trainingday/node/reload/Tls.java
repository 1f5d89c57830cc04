package io.trainingday.node.reload;

import io.trainingday.config.Settings;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The two kinds of port that have certificates. */
public enum Tls {
  /** The lane over TCP. */
  LANE("lane.tls"),
  /** Ignite's, between nodes. */
  GRID("grid.tls");

  private final String option;

  Tls(String option) {
    this.option = option;
  }

  /** What its settings begin with. */
  public String option() {
    return option;
  }

  /** Its files, none where it has no TLS. */
  List<Path> files(Settings settings) {
    Settings.Tls lane = settings.lane().tls();
    Settings.GridTls grid = settings.grid().tls();
    return switch (this) {
      case LANE ->
          lane.enabled() ? present(lane.certificate(), lane.key(), lane.trust()) : List.of();
      case GRID -> present(grid.certificate(), grid.key(), grid.trust());
    };
  }

  private static List<Path> present(
      Optional<Path> certificate, Optional<Path> key, Optional<Path> trust) {
    return Stream.of(certificate, key, trust).flatMap(Optional::stream).toList();
  }
}
