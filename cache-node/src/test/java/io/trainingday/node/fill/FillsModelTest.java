package io.trainingday.node.fill;

import static org.jetbrains.lincheck.datastructures.ManagedStrategyGuaranteeKt.forClasses;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.capacity.Admission;
import io.trainingday.node.fill.Fills.Submitted;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Searches the interleavings of readers, loaders, failures and a writer on one key for one that no
 * order of whole operations explains: two leases at once, a lease for a record that is there, a
 * record that is there and then is not. Takes a minute, so it runs by hand: {@code mvn verify -pl
 * cache-node -am -DexcludedGroups= -Dtest=FillsModelTest -Dsurefire.failIfNoSpecifiedTests=false}.
 */
@Tag("slow")
@Param(name = "holder", gen = IntGen.class, conf = "0:1")
public class FillsModelTest {
  private static final SampleKey KEY = new SampleKey(11, 22, 33, 0, 0, 1);

  private final FakeStore store = new FakeStore();
  private final Fills fills =
      new Fills(
          new FillLimits(1_000, 8, 8, 1 << 20, 1),
          new Admission(new UUID(0, 1), 64 << 20, 0, 4_096, 4_096, () -> 0),
          () -> 0,
          false);
  private final long[] holders = {fills.openHolder(), fills.openHolder()};
  private final AtomicLongArray leases = new AtomicLongArray(2);

  /** A reader looks into the store, then asks. */
  @Operation
  public String read(@Param(name = "holder") int holder) {
    if (store.contains(KEY)) {
      return "READ";
    }
    MissAnswer answer = fills.missing(store, KEY, holders[holder]);
    return switch (answer.kind()) {
      case RECORD, IN_STORE -> "READ";
      case GRANTED -> {
        leases.set(holder, answer.lease());
        yield "GRANTED";
      }
      case HELD_BY_YOU, LEASED_TO_OTHER, REFUSED -> answer.kind().name();
    };
  }

  /** A loader has the record. */
  @Operation
  public void submit() {
    Submitted result = fills.submit(store, KEY, new byte[] {1});
    if (result != Submitted.TAKEN && result != Submitted.REPEATED) {
      throw new IllegalStateException(result.name());
    }
  }

  /** A loader fails. */
  @Operation
  public void release(@Param(name = "holder") int holder) {
    boolean unused = fills.release(KEY, holders[holder], leases.get(holder));
  }

  /** A writer takes its turn. */
  @Operation
  public void write() {
    boolean unused = fills.writeNext();
  }

  @Test
  void fills_allInterleavings_areLinearizable() {
    new ModelCheckingOptions()
        .threads(2)
        .actorsPerThread(3)
        .actorsBefore(1)
        .actorsAfter(1)
        .iterations(10)
        .invocationsPerIteration(60)
        .addGuarantee(
            forClasses(Admission.class.getName(), LongAdder.class.getName())
                .allMethods()
                .treatAsAtomic())
        .check(FillsModelTest.class);
  }
}
