package io.trainingday.node.inquiry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.tier.DiskTier;
import io.trainingday.node.traces.Traces;
import io.trainingday.node.versions.DatasetRefusedException;
import io.trainingday.node.versions.VersionKeys;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers what administrators ask about the whole grid: each node is asked for its part, by the
 * node that was asked. From any thread; blocks for {@code lane.answerTimeout} at most. A node that
 * does not answer is named in the answer.
 */
public final class Inquiries implements AutoCloseable {
  static final JsonMapper JSON = new JsonMapper();

  private static final Logger LOG = LoggerFactory.getLogger(Inquiries.class);

  private final RecordStores stores;
  private final Optional<DiskTier> disk;
  private final Ownership ownership;
  private final Peers peers;
  private final VersionKeys versions;
  private final Traces traces;
  private @Nullable RecordWalk walk;
  private @Nullable Thread walker;
  private boolean closed;

  public Inquiries(
      RecordStores stores,
      Optional<DiskTier> disk,
      Ownership ownership,
      Peers peers,
      VersionKeys versions,
      Traces traces) {
    this.stores = stores;
    this.disk = disk;
    this.ownership = ownership;
    this.peers = peers;
    this.versions = versions;
    this.traces = traces;
  }

  /**
   * Where a sample is and why it was missed last: a JSON object.
   *
   * @throws DatasetRefusedException when there is no such sample
   */
  public String explain(String tenant, String name, long index) throws DatasetRefusedException {
    VersionKeys.Current current = versions.current(tenant, name, index);
    ObjectNode question =
        question("explain")
            .put("dataset", Keys.hex(current.dataset()))
            .put("index", Keys.hex(index))
            .put("backups", current.backups());
    return new Explanation(name, index, current, ownership.table(current.backups()))
        .of(gather(question))
        .toString();
  }

  /** Begins to read all records on all nodes, ends what was begun before: a JSON object. */
  public String verify(long bytesPerSecond) {
    return verification(question("verify").put("bytesPerSecond", bytesPerSecond));
  }

  /** What {@link #verify} has found so far. */
  public String verified() {
    return verification(question("verified"));
  }

  /** Ends what {@link #verify} began. */
  public String endVerify() {
    return verification(question("endVerify"));
  }

  private String verification(ObjectNode question) {
    Parts parts = gather(question);
    ObjectNode all = JSON.createObjectNode();
    boolean finished = parts.unanswered().isEmpty();
    List<String> sums =
        List.of(
            "partitionsDone",
            "partitions",
            "memoryRecords",
            "diskRecords",
            "bytes",
            "damaged",
            "missingCopies",
            "copiesUnderWay",
            "misplaced",
            "unreachable");
    ArrayNode nodes = JSON.createArrayNode();
    ArrayNode problems = JSON.createArrayNode();
    for (Map.Entry<Member, JsonNode> part : parts.answers().entrySet()) {
      ObjectNode node = JSON.createObjectNode();
      node.put("host", part.getKey().hostId()).put("node", part.getKey().name());
      part.getValue()
          .properties()
          .forEach(
              one -> {
                if (!one.getKey().equals("problems")) {
                  node.set(one.getKey(), one.getValue());
                }
              });
      nodes.add(node);
      finished &= node.path("finished").asBoolean();
      part.getValue().path("problems").forEach(problems::add);
      sums.forEach(sum -> all.put(sum, all.path(sum).asLong() + node.path(sum).asLong()));
    }
    boolean sound = all.path("damaged").asLong() == 0 && all.path("missingCopies").asLong() == 0;
    all.put("finished", finished).put("sound", sound);
    all.set("nodes", nodes);
    all.set("problems", problems);
    all.set("unanswered", unanswered(parts));
    return all.toString();
  }

  static ArrayNode unanswered(Parts parts) {
    ArrayNode unanswered = JSON.createArrayNode();
    parts
        .unanswered()
        .forEach(
            (member, why) ->
                unanswered
                    .addObject()
                    .put("host", member.hostId())
                    .put("node", member.name())
                    .put("why", why));
    return unanswered;
  }

  /** What the nodes answered, and why others did not. */
  record Parts(Map<Member, JsonNode> answers, Map<Member, String> unanswered) {}

  private static ObjectNode question(String about) {
    return JSON.createObjectNode().put("ask", about);
  }

  private Parts gather(ObjectNode question) {
    String text = question.toString();
    Map<Member, CompletableFuture<String>> asked = new LinkedHashMap<>();
    List<Member> members = ownership.members();
    for (Member member : members) {
      if (!member.local()) {
        asked.put(member, peers.ask(member, text));
      }
    }
    Map<Member, JsonNode> answers = new LinkedHashMap<>();
    Map<Member, String> unanswered = new LinkedHashMap<>();
    for (Member member : members) {
      try {
        CompletableFuture<String> answer = asked.get(member);
        answers.put(member, parse(answer == null ? answer(text) : answer.join()));
      } catch (CompletionException e) {
        Throwable cause = e.getCause() == null ? e : e.getCause();
        LOG.debug("{} does not answer", member, cause);
        String why = cause.getMessage();
        unanswered.put(member, why == null ? "no answer in time" : why);
      }
    }
    return new Parts(answers, unanswered);
  }

  private static JsonNode parse(String json) {
    try {
      return JSON.readTree(json);
    } catch (JsonProcessingException e) {
      throw new CompletionException("an answer that is no JSON", e);
    }
  }

  /**
   * This node's part of an answer; asked by another node.
   *
   * @throws IllegalArgumentException when it does not understand the question
   */
  public String answer(String question) {
    JsonNode asked = parse(question);
    JsonNode answer =
        switch (asked.path("ask").asText()) {
          case "explain" -> explainHere(asked);
          case "have" -> haveHere(asked);
          case "verify" -> walkHere(asked.path("bytesPerSecond").asLong());
          case "verified" -> walked();
          case "endVerify" -> {
            endWalk();
            yield walked();
          }
          default -> throw new IllegalArgumentException("unknown question " + question);
        };
    return answer.toString();
  }

  private JsonNode explainHere(JsonNode asked) {
    long dataset = Keys.number(asked, "dataset");
    long index = Keys.number(asked, "index");
    int backups = asked.path("backups").asInt();
    int partition = ownership.table(backups).partition(index);
    ObjectNode answer = JSON.createObjectNode();
    ArrayNode records = answer.putArray("records");
    RecordCheck check = new RecordCheck();
    RecordStore memory = stores.of(backups);
    boolean unused =
        stores.forEachKey(
            backups,
            partition,
            (key, bytes) -> {
              if (key.dataset() == dataset && key.index() == index) {
                boolean read = memory.read(key, check) != RecordStore.MISS;
                record(records, key, "memory", bytes, read ? check.createdMillis() : 0);
              }
              return true;
            });
    disk.ifPresent(
        tier ->
            tier.forEachKey(
                partition,
                (key, bytes) -> {
                  if (key.dataset() == dataset && key.index() == index) {
                    boolean read = tier.readRecord(key, check) != RecordStore.MISS;
                    record(records, key, "disk", bytes, read ? check.createdMillis() : 0);
                  }
                  return true;
                }));
    traces
        .lastMiss(dataset, index)
        .ifPresent(
            miss ->
                Keys.write(answer.putObject("miss"), miss.key())
                    .put("millis", miss.millis())
                    .put("reason", miss.reason().name())
                    .put("why", miss.why()));
    ArrayNode lost = answer.putArray("lost");
    traces.lost(dataset, index).forEach(key -> Keys.write(lost.addObject(), key));
    return answer;
  }

  private static void record(
      ArrayNode records, SampleKey key, String tier, int bytes, long createdMillis) {
    Keys.write(records.addObject(), key)
        .put("tier", tier)
        .put("bytes", bytes)
        .put("created", createdMillis);
  }

  private synchronized JsonNode walkHere(long bytesPerSecond) {
    endWalk();
    if (!closed) {
      RecordWalk begun = new RecordWalk(this, bytesPerSecond);
      Thread thread = new Thread(begun, "training-day-verify");
      thread.setDaemon(true);
      walk = begun;
      walker = thread;
      thread.start();
    }
    return walked();
  }

  private synchronized JsonNode walked() {
    RecordWalk begun = walk;
    return begun == null
        ? JSON.createObjectNode().put("finished", false).put("failure", "was not begun")
        : begun.report();
  }

  private synchronized void endWalk() {
    RecordWalk begun = walk;
    Thread thread = walker;
    if (begun != null && thread != null) {
      begun.end();
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Which of these records another node holds: a 1 or a 0 each, nothing when it does not say. */
  String have(Member member, int backups, List<SampleKey> keys) {
    ObjectNode question = question("have").put("backups", backups);
    ArrayNode list = question.putArray("keys");
    keys.forEach(key -> Keys.write(list.addObject(), key));
    try {
      return parse(peers.ask(member, question.toString()).join()).path("have").asText();
    } catch (CompletionException e) {
      LOG.debug("{} does not say what it holds", member, e);
      return "";
    }
  }

  private JsonNode haveHere(JsonNode asked) {
    StringBuilder have = new StringBuilder();
    int backups = asked.path("backups").asInt();
    asked.path("keys").forEach(key -> have.append(holds(backups, Keys.read(key)) ? '1' : '0'));
    return JSON.createObjectNode().put("have", have.toString());
  }

  boolean holds(int backups, SampleKey key) {
    return stores.of(backups).contains(key) || disk.map(tier -> tier.holds(key)).orElse(false);
  }

  RecordStores stores() {
    return stores;
  }

  Optional<DiskTier> disk() {
    return disk;
  }

  Ownership ownership() {
    return ownership;
  }

  VersionKeys versions() {
    return versions;
  }

  int backupsOf(long dataset) {
    return Integer.parseInt(versions.settings(dataset).getOrDefault("backups", "0"));
  }

  /** The data set's name with its tenant, else its hash. */
  String nameOf(long dataset) {
    return versions.kept(dataset).map(VersionKeys.Kept::scopedName).orElse(Keys.hex(dataset));
  }

  /** This node's host. */
  String host() {
    return ownership.members().stream()
        .filter(Member::local)
        .map(Member::hostId)
        .findAny()
        .orElse("");
  }

  /** Ends what is being read; nothing touches the stores after. */
  @Override
  public synchronized void close() {
    closed = true;
    endWalk();
  }
}
