package stranger;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.Serial;
import java.io.Serializable;
import java.util.concurrent.atomic.AtomicInteger;

/** A class of nobody's that does something when it is made of bytes. */
public final class Gadget implements Serializable {
  /** How often it has. */
  public static final AtomicInteger RUNS = new AtomicInteger();

  @Serial private static final long serialVersionUID = 1L;

  @Serial
  private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
    in.defaultReadObject();
    RUNS.incrementAndGet();
  }
}
