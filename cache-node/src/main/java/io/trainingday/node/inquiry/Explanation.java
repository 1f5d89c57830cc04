package io.trainingday.node.inquiry;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.traces.Reason;
import io.trainingday.node.versions.SampleVersion;
import io.trainingday.node.versions.VersionKeys;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Makes one answer of what all nodes know of a sample. */
final class Explanation {
  /** What two nodes noted of one key within that time, they noted of one and the same miss. */
  private static final long SAME_MISS_MILLIS = 10_000;

  private final String name;
  private final long index;
  private final VersionKeys.Current current;
  private final OwnershipTable table;

  private record Seen(Member member, SampleKey key, long millis, Reason reason, String why) {}

  private record Kept(Member member, SampleKey key, String tier, long createdMillis) {}

  Explanation(String name, long index, VersionKeys.Current current, OwnershipTable table) {
    this.name = name;
    this.index = index;
    this.current = current;
    this.table = table;
  }

  ObjectNode of(Inquiries.Parts parts) {
    List<Kept> records = new ArrayList<>();
    List<Seen> misses = new ArrayList<>();
    List<Seen> lost = new ArrayList<>();
    parts
        .answers()
        .forEach(
            (member, part) -> {
              part.path("records")
                  .forEach(
                      one ->
                          records.add(
                              new Kept(
                                  member,
                                  Keys.read(one),
                                  one.path("tier").asText(),
                                  one.path("created").asLong())));
              JsonNode miss = part.path("miss");
              if (!miss.isMissingNode()) {
                misses.add(
                    new Seen(
                        member,
                        Keys.read(miss),
                        miss.path("millis").asLong(),
                        Reason.valueOf(miss.path("reason").asText()),
                        miss.path("why").asText()));
              }
              part.path("lost")
                  .forEach(
                      one -> lost.add(new Seen(member, Keys.read(one), 0, Reason.OWNER_LOST, "")));
            });
    ObjectNode answer = Inquiries.JSON.createObjectNode();
    answer.put("dataset", name).put("index", index);
    answer.put("generation", current.generation());
    answer.put("sampleGeneration", SampleVersion.generation(current.sampleVersion()));
    answer.put("partition", table.partition(index));
    answer.set("hosts", hosts(parts, records));
    answer.set("versions", versions(records));
    SortedSet<Integer> variants = new TreeSet<>();
    records.stream().filter(this::isCurrent).forEach(kept -> variants.add(kept.key().variant()));
    variants.forEach(answer.putArray("variants")::add);
    answer.set("pipelines", pipelines(records));
    Seen miss = last(misses, lost, records);
    if (miss == null) {
      answer.putNull("lastMissReason");
      answer.putNull("lastMiss");
    } else {
      answer.put("lastMissReason", miss.reason().text());
      answer
          .putObject("lastMiss")
          .put("reason", miss.reason().text())
          .put("why", miss.why())
          .put("at", Instant.ofEpochMilli(miss.millis()).toString())
          .put("host", miss.member().hostId())
          .put("pipeline", fingerprint(miss.key().pipeline()))
          .put("generation", SampleVersion.generation(miss.key().sampleVersion()))
          .put("variant", miss.key().variant());
    }
    answer.set("unanswered", Inquiries.unanswered(parts));
    return answer;
  }

  private boolean isCurrent(Kept kept) {
    return kept.key().incarnation() == current.incarnation()
        && kept.key().sampleVersion() == current.sampleVersion();
  }

  /** Those that are to hold the sample, and those that have a record of it. */
  private ArrayNode hosts(Inquiries.Parts parts, List<Kept> records) {
    ArrayNode hosts = Inquiries.JSON.createArrayNode();
    List<Member> copies = table.copies(table.partition(index));
    for (Member member : table.members()) {
      List<Kept> own =
          records.stream().filter(kept -> kept.member().id().equals(member.id())).toList();
      int place = copies.indexOf(member);
      if (place < 0 && own.isEmpty()) {
        continue;
      }
      hosts
          .addObject()
          .put("host", member.hostId())
          .put("node", member.name())
          .put("role", place == 0 ? "primary" : place > 0 ? "backup" : "none")
          .put("memory", holds(own, "memory"))
          .put("disk", holds(own, "disk"))
          .put("answered", parts.answers().containsKey(member));
    }
    return hosts;
  }

  private boolean holds(List<Kept> records, String tier) {
    return records.stream().anyMatch(kept -> kept.tier().equals(tier) && isCurrent(kept));
  }

  /** Records by the generation in which the sample was as they are. */
  private ArrayNode versions(List<Kept> records) {
    SortedMap<Long, List<Kept>> byGeneration = new TreeMap<>();
    for (Kept kept : records) {
      long generation = SampleVersion.generation(kept.key().sampleVersion());
      byGeneration.computeIfAbsent(generation, unused -> new ArrayList<>()).add(kept);
    }
    ArrayNode versions = Inquiries.JSON.createArrayNode();
    byGeneration.forEach(
        (generation, all) ->
            versions
                .addObject()
                .put("generation", generation)
                .put("current", all.stream().anyMatch(this::isCurrent))
                .put("records", all.size()));
    return versions;
  }

  private ArrayNode pipelines(List<Kept> records) {
    SortedMap<String, Integer> counts = new TreeMap<>();
    current.fingerprints().values().forEach(fingerprint -> counts.put(fingerprint, 0));
    records.stream()
        .filter(this::isCurrent)
        .forEach(kept -> counts.merge(fingerprint(kept.key().pipeline()), 1, Integer::sum));
    ArrayNode pipelines = Inquiries.JSON.createArrayNode();
    counts.forEach(
        (fingerprint, count) ->
            pipelines.addObject().put("fingerprint", fingerprint).put("records", count));
    return pipelines;
  }

  private String fingerprint(long pipeline) {
    String hash = Keys.hex(pipeline);
    return current.fingerprints().getOrDefault(hash, hash);
  }

  /** The last miss, and the best that any node knows of why. */
  private @Nullable Seen last(List<Seen> misses, List<Seen> lost, List<Kept> records) {
    Seen newest = null;
    for (Seen miss : misses) {
      newest = newest == null || miss.millis() > newest.millis() ? miss : newest;
    }
    if (newest == null) {
      return null;
    }
    Seen best = newest;
    List<Member> told = new ArrayList<>();
    for (Seen miss : misses) {
      boolean same =
          miss.key().equals(newest.key()) && newest.millis() - miss.millis() < SAME_MISS_MILLIS;
      if (same) {
        told.add(miss.member());
        int order = miss.reason().compareTo(best.reason());
        // Of a refusal, who refused knows more than who passed it on.
        best = order < 0 || (order == 0 && isPrimary(miss.member())) ? miss : best;
      }
    }
    Reason reason = best.reason();
    SampleKey key = newest.key();
    if (reason == Reason.COLD
        && lost.stream().anyMatch(one -> one.key().equals(key) && !told.contains(one.member()))) {
      reason = Reason.OWNER_LOST;
    }
    if (reason == Reason.COLD) {
      reason = byWhatIsThere(newest, records);
    }
    return new Seen(newest.member(), key, newest.millis(), reason, best.why());
  }

  private boolean isPrimary(Member member) {
    return table.primary(table.partition(index)).id().equals(member.id());
  }

  /** What the nodes' notes do not tell, since they were started again, older records may. */
  private static Reason byWhatIsThere(Seen miss, List<Kept> records) {
    Reason reason = Reason.COLD;
    for (Kept kept : records) {
      boolean before = kept.createdMillis() > 0 && kept.createdMillis() < miss.millis();
      if (!before || kept.key().equals(miss.key())) {
        continue;
      }
      if (kept.key().pipeline() != miss.key().pipeline()) {
        reason = reason == Reason.VERSION ? reason : Reason.FINGERPRINT;
      } else if (kept.key().variant() == miss.key().variant()) {
        reason = Reason.VERSION;
      }
    }
    return reason;
  }
}
