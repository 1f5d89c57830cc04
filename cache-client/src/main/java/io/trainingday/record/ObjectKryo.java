package io.trainingday.record;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryo.KryoException;
import com.esotericsoftware.kryo.Registration;
import com.esotericsoftware.kryo.Serializer;
import com.esotericsoftware.kryo.io.Input;
import com.esotericsoftware.kryo.io.Output;
import com.esotericsoftware.kryo.serializers.CollectionSerializer;
import com.esotericsoftware.kryo.serializers.MapSerializer;
import com.esotericsoftware.kryo.util.DefaultClassResolver;
import com.esotericsoftware.kryo.util.MapReferenceResolver;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A Kryo for the objects inside records: registered classes only, and safe on hostile bytes. */
final class ObjectKryo extends Kryo {
  /** Nesting deeper than this would end in a stack overflow on a hostile record. */
  private static final int MAX_DEPTH = 256;

  ObjectKryo(Consumer<Kryo> registrations) {
    this(registrations, new RegisteredOnly());
  }

  private ObjectKryo(Consumer<Kryo> registrations, RegisteredOnly classes) {
    super(classes, new MapReferenceResolver());
    setRegistrationRequired(true);
    setMaxDepth(MAX_DEPTH);
    registrations.accept(this);
    if (!isRegistrationRequired()) {
      throw new IllegalArgumentException(
          "registrationRequired=false, allowed: true; register each class instead");
    }
    classes.registered.forEach(LengthChecked::apply); // registering twice replaces the serializer
  }

  @Override
  @SuppressWarnings("rawtypes")
  protected String unregisteredClassMessage(Class type) {
    return "class %s is not registered; give it to RecordCodec.create(kryo -> kryo.register(%s.class)), the same classes in the same order wherever such records are written or read"
        .formatted(type.getName(), type.getSimpleName());
  }

  /** Kryo would look up any class by a name found in the bytes. */
  private static final class RegisteredOnly extends DefaultClassResolver {
    private final List<Registration> registered = new ArrayList<>();

    @Override
    public Registration register(Registration registration) {
      LengthChecked.apply(registration);
      registered.add(registration);
      return super.register(registration);
    }

    @Override
    protected Registration readName(Input input) {
      throw new KryoException("a class by name, allowed: registered classes only");
    }
  }

  /** Has the length that a container's bytes begin with checked before anything is made of it. */
  @SuppressWarnings({"rawtypes", "unchecked"})
  private static final class LengthChecked extends Serializer {
    private final Serializer delegate;

    LengthChecked(Serializer delegate) {
      super(delegate.getAcceptsNull(), delegate.isImmutable());
      this.delegate = delegate;
    }

    static void apply(Registration registration) {
      Serializer serializer = registration.getSerializer();
      if (!(serializer instanceof LengthChecked)
          && (registration.getType().isArray()
              || serializer instanceof CollectionSerializer
              || serializer instanceof MapSerializer)) {
        registration.setSerializer(new LengthChecked(serializer));
      }
    }

    @Override
    public void write(Kryo kryo, Output output, Object object) {
      delegate.write(kryo, output, object);
    }

    @Override
    public @Nullable Object read(Kryo kryo, Input input, Class type) {
      if (!(input instanceof BoundedInput bounded)) {
        throw new KryoException("a serializer that wraps its input cannot be checked, use another");
      }
      bounded.expectLength();
      return delegate.read(kryo, input, type);
    }
  }
}
