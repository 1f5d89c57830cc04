package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.lane.LaneMessage.Role;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokensTest {
  private final Path file;

  TokensTest(@TempDir Path directory) {
    file = directory.resolve("tokens");
  }

  @Test
  void find_knownToken_isItsTenantAndRoles() throws IOException {
    Tokens tokens =
        read(
            """
            # who may do what

            s3cret-a   team-a  trainer
              s3cret-b\tteam.b\tadmin,trainer
            s3cret-p   default peer
            """);

    assertThat(tokens.find("s3cret-a")).contains(new Grant("team-a", Set.of(Role.TRAINER)));
    assertThat(tokens.find("s3cret-b"))
        .contains(new Grant("team.b", Set.of(Role.TRAINER, Role.ADMIN)));
    assertThat(tokens.peerToken()).contains("s3cret-p");
  }

  @Test
  void find_grants_areOfThoseDatasetsAlone() throws IOException {
    DatasetGrants grants =
        read("s3cret t trainer,admin read:pic* fill:a?c,d admin:x*y*z read:more")
            .find("s3cret")
            .orElseThrow()
            .datasets();

    assertThat(List.of("pic", "pictures", "more", "a c", "d")).allMatch(grants::mayRead);
    assertThat(List.of("pi", "Pic", "morer", "ac", "", "xyz")).noneMatch(grants::mayRead);
    assertThat(List.of("abc", "d")).allMatch(grants::mayFill);
    assertThat(List.of("pic", "more", "abbc", "dd")).noneMatch(grants::mayFill);
    assertThat(List.of("xyz", "x1y2z", "xyzyz")).allMatch(grants::mayAdminister);
    assertThat(List.of("xy", "xzy", "d", "xyz1")).noneMatch(grants::mayAdminister);
  }

  @Test
  void matches_manyStars_endsSoon() {
    assertThat(DatasetGrants.matches("*a".repeat(100) + "*b", "a".repeat(255))).isFalse();
  }

  @Test
  void read_wrongGrants_namesAllByNumber() {
    assertThatThrownBy(
            () ->
                read(
                    """
                    s3cret-a team-a trainer write:x
                    s3cret-b team-a trainer read:
                    s3cret-c team-a peer read:x
                    s3cret-d team-a trainer admin:x
                    """))
        .isInstanceOf(LaneStartException.class)
        .hasMessage(
            "lane.tokensFile="
                + file
                + ": line 1: grant=\"write:x\", take read:, fill: or admin: and patterns of data-set names with commas"
                + "; line 2: grant=\"read:\", take read:, fill: or admin: and patterns of data-set names with commas"
                + "; line 3: grant=\"read:x\" is for the role trainer, add it or take the grant out"
                + "; line 4: grant=\"admin:x\" is for the role admin, add it or take the grant out");
  }

  @Test
  void find_anyOtherToken_isNothing() throws IOException {
    Tokens tokens = read("s3cret-a team-a trainer");

    assertThat(tokens.find("")).isEmpty();
    assertThat(tokens.find("s3cret-")).isEmpty();
    assertThat(tokens.find("s3cret-aa")).isEmpty();
    assertThat(tokens.find("S3cret-a")).isEmpty();
    assertThat(tokens.find("é\0")).isEmpty();
    assertThat(tokens.peerToken()).isEmpty();
  }

  @Test
  void read_wrongLines_namesAllByNumberAndNoToken() {
    assertThatThrownBy(
            () ->
                read(
                    """
                    s3cret-a team-a trainer
                    s3cret-b team-a
                    s3cret-a team-a peer
                    s3cret-c team/a trainer
                    s3cret-d team-a trainer,boss
                    s3crét-e team-a trainer
                    """))
        .isInstanceOf(LaneStartException.class)
        .hasMessage(
            "lane.tokensFile="
                + file
                + ": line 2 has 2 words, expected TOKEN TENANT ROLE[,ROLE] [GRANT:PATTERN[,PATTERN]]"
                + "; line 3 repeats the token of line 1"
                + "; line 4: tenant=\"team/a\", take 1 to 63 of A-Z a-z 0-9 . _ -"
                + "; line 5: role=\"boss\", take trainer, peer or admin"
                + "; line 6: the token has 8 characters, take 1 to 4096 of printable ASCII")
        .message()
        .doesNotContain("s3cr");
  }

  @Test
  void read_noToken_isRefused() {
    assertThatThrownBy(() -> read("# none yet\n"))
        .isInstanceOf(LaneStartException.class)
        .hasMessage(
            "lane.tokensFile=%s: no token, so that nobody could connect; add a line TOKEN TENANT ROLE[,ROLE]",
            file);
  }

  @Test
  void read_noFile_isRefused() {
    assertThatThrownBy(() -> Tokens.read(file))
        .isInstanceOf(LaneStartException.class)
        .hasMessage(
            "lane.tokensFile=%s cannot be read (NoSuchFileException), give a file that this user may read",
            file);
  }

  @Test
  void read_noText_isRefused() throws IOException {
    Files.write(file, new byte[] {(byte) 0xC3, (byte) 0x28});

    assertThatThrownBy(() -> Tokens.read(file))
        .isInstanceOf(LaneStartException.class)
        .hasMessage("lane.tokensFile=%s is no UTF-8 text", file);
  }

  private Tokens read(String text) throws IOException {
    return Tokens.read(Files.writeString(file, text));
  }
}
