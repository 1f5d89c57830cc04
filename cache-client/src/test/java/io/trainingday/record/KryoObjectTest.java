package io.trainingday.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.esotericsoftware.kryo.io.Output;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class KryoObjectTest {
  /** What users store beside tensors. */
  static final class Box {
    private String label = "";
    private int[] corners = {};

    static Box of(String label, int... corners) {
      Box box = new Box();
      box.label = label;
      box.corners = corners;
      return box;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Box that
          && label.equals(that.label)
          && Arrays.equals(corners, that.corners);
    }

    @Override
    public int hashCode() {
      return label.hashCode();
    }
  }

  static final class Link {
    @Nullable Link next;
  }

  enum Colour {
    RED,
    GREEN
  }

  private static final List<Class<?>> CLASSES =
      List.of(
          Box.class,
          int[].class,
          Object[].class,
          String[].class,
          byte[].class,
          long[].class,
          boolean[].class,
          ArrayList.class,
          HashSet.class,
          HashMap.class,
          TreeMap.class,
          PriorityQueue.class,
          BitSet.class,
          BigInteger.class,
          Link.class,
          Colour.class,
          List.of().getClass(),
          List.of(1).getClass(),
          Map.of(1, 1, 2, 2).getClass());

  private final RecordCodec codec =
      RecordCodec.create(kryo -> CLASSES.forEach(type -> kryo.register(type)));

  @Test
  void object_ofRegisteredClasses_comesBack() {
    Map<String, Object> value = new TreeMap<>();
    value.put("boxes", new ArrayList<>(List.of(Box.of("cat", 1, 2, 3, 4))));
    value.put("set", new HashSet<>(Set.of("naïve", "plain")));
    value.put("immutable", List.of(1, "two", 3.0, Map.of(1, 1, 2, 2)));
    value.put("bits", BitSet.valueOf(new long[] {5, 6}));
    value.put("big", BigInteger.TEN.pow(50));
    value.put("queue", new ArrayList<>(new PriorityQueue<>(List.of(3, 1, 2))));
    value.put("colour", Colour.GREEN);

    assertThat(roundTrip(value)).isEqualTo(value);
    assertThat(roundTrip(new String[] {"a", null})).isEqualTo(new String[] {"a", null});
    assertThat(roundTrip(new boolean[] {true, false})).isEqualTo(new boolean[] {true, false});
    assertThat(roundTrip(null)).isNull();
    assertThat(roundTrip("nothing registered is needed for text")).isInstanceOf(String.class);
  }

  @Test
  void object_thatIsLarge_comesBack() {
    List<Integer> numbers = new ArrayList<>(IntStream.range(0, 100_000).boxed().toList());
    List<String> nulls = new ArrayList<>();
    for (int i = 0; i < 4000; i++) {
      nulls.add(null);
    }

    assertThat(roundTrip(numbers)).isEqualTo(numbers);
    assertThat(roundTrip(nulls)).isEqualTo(nulls);
    assertThat(roundTrip("é".repeat(100_000))).isEqualTo("é".repeat(100_000));
    assertThat(roundTrip(new byte[1 << 20])).isEqualTo(new byte[1 << 20]);
  }

  @Test
  void object_withACycle_keepsIt() {
    Link link = new Link();
    link.next = link;

    assertThat(roundTrip(link))
        .isInstanceOfSatisfying(Link.class, read -> assertThat(read.next).isSameAs(read));
  }

  @Test
  void object_readTwice_isAFreshCopy() {
    SampleRecord record = recordWith(Box.of("cat", 1));

    assertThat(record.object("o", codec))
        .isEqualTo(record.object("o", codec))
        .isNotSameAs(record.object("o", codec));
  }

  @Test
  void object_ofUnregisteredClass_isRefusedOnWrite() {
    assertThatThrownBy(
            () -> SampleRecord.builder().object("box", Box.of("cat"), RecordCodec.create()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            "field 'box': class io.trainingday.record.KryoObjectTest$Box is not registered; give it to RecordCodec.create(kryo -> kryo.register(Box.class))");
  }

  @Test
  void object_ofUnregisteredClass_isRefusedOnRead() {
    SampleRecord record = recordWith(Box.of("cat"));

    assertThatThrownBy(() -> record.object("o", RecordCodec.create()))
        .isInstanceOf(MalformedRecordException.class)
        .hasMessageContaining("field 'o' holds no object this codec can read")
        .hasMessageContaining("Encountered unregistered class ID: 9")
        .hasMessageContaining("register the writer's classes in the writer's order");
  }

  @Test
  void object_namingAClassInItsBytes_isNeverLookedUp() {
    Output out = new Output(64);
    out.writeVarInt(1, true); // a class by name
    out.writeVarInt(0, true);
    out.writeString("java.util.ArrayList");

    assertThatThrownBy(() -> read(out.toBytes()))
        .isInstanceOf(MalformedRecordException.class)
        .hasMessageContaining("a class by name, allowed: registered classes only");
  }

  @Test
  void codec_thatAllowsUnregisteredClasses_isRefused() {
    RecordCodec open = RecordCodec.create(kryo -> kryo.setRegistrationRequired(false));

    assertThatThrownBy(() -> SampleRecord.builder().object("o", "x", open))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("registrationRequired=false, allowed: true");
  }

  @Test
  void object_overItsLimit_isRefused() {
    assertThatThrownBy(
            () -> SampleRecord.builder().object("o", new byte[RecordCodec.MAX_OBJECT_BYTES], codec))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "field 'o': the object takes more than 16777216 bytes, store it as bytes or tensors");
  }

  @Test
  void object_nestedTooDeep_isRefusedNotOverflown() {
    Link deep = new Link();
    for (int i = 0; i < 100_000; i++) {
      Link outer = new Link();
      outer.next = deep;
      deep = outer;
    }
    Link chain = deep;

    assertThatThrownBy(() -> SampleRecord.builder().object("o", chain, codec))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("Max depth exceeded");
  }

  @ParameterizedTest
  @ValueSource(ints = {5_000, 1 << 24, Integer.MAX_VALUE - 8, Integer.MAX_VALUE, -1})
  void hostileLength_ofAnyContainer_isRefusedBeforeItIsAllocated(int lengthPlusOne) {
    for (Class<?> type : CLASSES) {
      for (boolean flag : new boolean[] {false, true}) {
        Output out = new Output(64);
        out.writeVarInt(9 + CLASSES.indexOf(type) + 2, true);
        out.writeVarInt(1, true); // not a reference
        if (flag) {
          out.writeVarIntFlag(true, lengthPlusOne, true);
        } else {
          out.writeVarInt(lengthPlusOne, true);
        }
        out.writeBytes(new byte[16]);
        byte[] bytes = out.toBytes();

        long allocated =
            Allocation.of(
                () -> {
                  try {
                    read(bytes);
                  } catch (MalformedRecordException e) {
                    assertThat(e).hasMessageContaining("field 'o'");
                  }
                });

        assertThat(allocated).as("%s, flag %s", type, flag).isLessThan(1 << 20);
      }
    }
  }

  @Test
  void hostileNesting_ofLists_cannotClaimMoreThanItsBytes() {
    Output out = new Output(1 << 16);
    for (int i = 0; i < 100; i++) {
      out.writeVarInt(9 + CLASSES.indexOf(ArrayList.class) + 2, true);
      out.writeVarInt(1, true);
      out.writeVarIntFlag(false, 60_000, true); // each fits alone, not all together
    }
    out.writeBytes(new byte[60_000]);

    long allocated =
        Allocation.of(
            () ->
                assertThatThrownBy(() -> read(out.toBytes()))
                    .isInstanceOf(MalformedRecordException.class)
                    .hasMessageContaining("59999 elements"));

    assertThat(allocated).isLessThan(4 << 20);
  }

  @Property(tries = 3000)
  void arbitraryBytes_giveAnObjectOrATypedError(@ForAll @Size(max = 200) byte[] bytes) {
    assertSafe(bytes);
  }

  @Property(tries = 3000)
  void mutatedObjects_giveAnObjectOrATypedError(@ForAll long seed) {
    Random random = new Random(seed);
    Map<String, Object> value = new HashMap<>();
    value.put("boxes", new ArrayList<>(List.of(Box.of("cät", 1, 2, 3, 4))));
    value.put("list", List.of(1, "two", new String[] {"é", "b"}));
    value.put("bits", BitSet.valueOf(new long[] {random.nextLong()}));
    ByteBuffer data = recordWith(value).field("o").data();
    byte[] bytes = new byte[data.remaining()];
    data.get(bytes);
    for (int i = random.nextInt(4); i >= 0; i--) {
      bytes[random.nextInt(bytes.length)] =
          (byte) (random.nextBoolean() ? 0xFF : random.nextInt(256));
    }
    assertSafe(random.nextBoolean() ? bytes : Arrays.copyOf(bytes, random.nextInt(bytes.length)));
  }

  @Test
  void codec_usedByManyThreads_readsWhatEachWrote() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Callable<Boolean>> jobs = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        Box box = Box.of("box " + i, i);
        jobs.add(
            () -> {
              for (int k = 0; k < 50; k++) {
                if (!Objects.equals(box, roundTrip(box))) {
                  return false;
                }
              }
              return true;
            });
      }
      for (Future<Boolean> done : threads.invokeAll(jobs)) {
        assertThat(done.get()).isTrue();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private void assertSafe(byte[] bytes) {
    long allocated =
        Allocation.of(
            () -> {
              try {
                read(bytes);
              } catch (MalformedRecordException e) {
                assertThat(e).hasMessageContaining("field 'o'");
              }
            });
    assertThat(allocated).isLessThan(2 << 20);
  }

  private @Nullable Object read(byte[] objectBytes) {
    return codec.readObject("o", ByteBuffer.wrap(objectBytes));
  }

  private @Nullable Object roundTrip(@Nullable Object value) {
    return recordWith(value).object("o", codec);
  }

  private SampleRecord recordWith(@Nullable Object value) {
    byte[] bytes = codec.encode(SampleRecord.builder().object("o", value, codec).build());
    return codec.decode(ByteBuffer.wrap(bytes));
  }
}
