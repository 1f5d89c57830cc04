package io.trainingday.grid.discovery;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.trainingday.grid.discovery.Status.Stage;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.StreamCorruptedException;
import java.util.Arrays;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class StatusTest {
  private static final UUID NODE = new UUID(-1, 2);
  private static final Ring RING = new Ring(3, 1_700_000_000_000L, 4, new UUID(5, -6));

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "MEMBER")
  void nodeOutside_readsBack(Stage stage) throws Exception {
    Status status = Status.outside(NODE, stage);
    assertThat(read(status.toBytes())).isEqualTo(status);
    assertThat(status.toBytes()).hasSize(21);
  }

  @Test
  void member_readsBack() throws Exception {
    Status status = Status.member(NODE, RING, true);
    assertThat(read(status.toBytes())).isEqualTo(status);
    assertThat(status.toBytes()).hasSize(58);
  }

  @Test
  void cutAnswer_isRefused() {
    byte[] whole = Status.member(NODE, RING, true).toBytes();
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      assertThatExceptionOfType(EOFException.class).isThrownBy(() -> read(cut));
    }
  }

  @Test
  void otherBytes_areRefused() {
    byte[] bytes = Status.outside(NODE, Stage.LOOKING).toBytes();
    byte[] stage = bytes.clone();
    stage[20] = 9;
    assertThatExceptionOfType(StreamCorruptedException.class)
        .isThrownBy(() -> read(stage))
        .withMessage("no answer of a cache node: its stage is 9");
    bytes[0] = 0;
    assertThatExceptionOfType(StreamCorruptedException.class)
        .isThrownBy(() -> read(bytes))
        .withMessage("no answer of a cache node: it starts with 0x00445231, not 0x54445231");
  }

  @Test
  void memberWithoutARing_isRefused() {
    assertThatIllegalArgumentException().isThrownBy(() -> Status.outside(NODE, Stage.MEMBER));
  }

  private static Status read(byte[] bytes) throws IOException {
    return Status.read(new ByteArrayInputStream(bytes));
  }
}
