package io.trainingday.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.modality.cv.transform.Normalize;
import ai.djl.modality.cv.transform.Resize;
import ai.djl.modality.cv.transform.ToTensor;
import ai.djl.ndarray.NDArray;
import ai.djl.translate.Pipeline;
import ai.djl.translate.Transform;
import io.trainingday.djl.TestDatasets.Numbers;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PipelineFingerprintTest {
  @Test
  void of_samePipelineMadeTwice_isTheSame() {
    String fingerprint = of(pipeline(8));

    assertThat(of(pipeline(8))).isEqualTo(fingerprint);
    assertThat(fingerprint)
        .matches(
            """
            djl 0\\.35\\.1 PyTorch 2\\.7\\.1 java 17 transforms=all
            io\\.trainingday\\.djl\\.TestDatasets\\$Numbers#[0-9a-f]{32}\\{size=10}
            pipeline\\[0] = ai\\.djl\\.modality\\.cv\\.transform\\.Resize\\{height=8,interpolation=.*,width=8}
            pipeline\\[0] = ai\\.djl\\.modality\\.cv\\.transform\\.ToTensor\\{}
            pipeline\\['x'] = ai\\.djl\\.modality\\.cv\\.transform\\.Normalize\\{mean=\\[Float:0\\.5],std=\\[Float:0\\.25]}""");
  }

  @Test
  void of_inACountryOfOtherDigits_isTheSame() {
    Pipeline pipeline =
        new Pipeline(new Stateful(IntStream.range(0, 500).toArray(), new Resize(1_000)));
    String fingerprint = of(pipeline);
    Locale before = Locale.getDefault();
    Locale.setDefault(Locale.forLanguageTag("ar-EG"));
    try {
      assertThat("%d".formatted(17)).isNotEqualTo("17");
      assertThat(of(pipeline)).isEqualTo(fingerprint);
    } finally {
      Locale.setDefault(before);
    }
  }

  @Test
  void of_whateverDecides_changesIt() {
    Transform transform = new Stateful(List.of(1, 2), null);
    List<String> all = new ArrayList<>();
    all.add(of(null));
    all.add(of(new Pipeline()));
    all.add(of(pipeline(8)));
    all.add(of(pipeline(9)));
    all.add(of(new Pipeline(transform)));
    all.add(of(new Pipeline(transform, transform)));
    all.add(of(new Pipeline().add(1, transform)));
    all.add(of(new Pipeline().add("1", transform)));
    all.add(of(new Pipeline(new Stateful(List.of(1, 2, 3), null))));
    all.add(of(new Pipeline(new Stateful(List.of(12), null))));
    all.add(of(new Pipeline(new Stateful("1, 2", null))));
    all.add(of(new Pipeline(new Stateful(List.of("a", "b"), null))));
    all.add(of(new Pipeline(new Stateful(List.of("a','b"), null))));
    all.add(of(new Pipeline(new Stateful(List.of("a\\", "b"), null))));
    all.add(of(new Pipeline(new Stateful(List.of("a\\','b"), null))));
    all.add(of(new Pipeline(new Stateful('1', new ToTensor()))));
    all.add(of(new Pipeline(new Stateful(1L, new ToTensor()))));
    all.add(of(new Pipeline(new Stateful(IntStream.range(0, 500).toArray(), null))));
    all.add(of(new Pipeline(new Stateful(IntStream.range(1, 501).toArray(), null))));
    all.add(of(new Pipeline(new Stateful(Thread.State.NEW, null))));
    all.add(of(new Pipeline(new Stateful(String.class, null))));
    all.add(PipelineFingerprint.of(Numbers.builder().size(9).build(), null, "transforms=all"));
    all.add(PipelineFingerprint.of(Numbers.builder().build(), null, "transforms=0/1"));
    all.add(PipelineFingerprint.ofTag("v1", "transforms=all"));
    all.add(PipelineFingerprint.ofTag("v2", "transforms=all"));

    assertThat(all)
        .doesNotHaveDuplicates()
        .allSatisfy(text -> assertThat(text).hasSizeLessThan(2_000));
  }

  @Test
  void of_codeThatATransformCalls_changesIt(@TempDir Path folder) throws Exception {
    String same = of(new Pipeline(transform(folder.resolve("here"), 1_234_567)));

    assertThat(of(new Pipeline(transform(folder.resolve("elsewhere"), 1_234_567)))).isEqualTo(same);
    assertThat(of(new Pipeline(transform(folder.resolve("changed"), 1_234_568))))
        .isNotEqualTo(same);
  }

  /** The transform as it would be had its helper been compiled with another constant. */
  private static Transform transform(Path folder, int constant) throws Exception {
    List<Class<?>> classes = List.of(Calling.class, Calling.Helper.class);
    for (Class<?> one : classes) {
      String file = one.getName().replace('.', '/') + ".class";
      Path copy = folder.resolve(file);
      Files.createDirectories(copy.getParent());
      try (InputStream code = one.getResourceAsStream("/" + file)) {
        byte[] bytes = code.readAllBytes();
        ByteBuffer view = ByteBuffer.wrap(bytes);
        for (int i = 0; i + 4 <= bytes.length; i++) {
          if (view.getInt(i) == Calling.Helper.SUMMAND) {
            view.putInt(i, constant);
          }
        }
        Files.write(copy, bytes);
      }
    }
    URL[] place = {folder.toUri().toURL()};
    ClassLoader own =
        new URLClassLoader(place, PipelineFingerprintTest.class.getClassLoader()) {
          @Override
          protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (classes.stream().noneMatch(one -> one.getName().equals(name))) {
              return super.loadClass(name, resolve);
            }
            Class<?> known = findLoadedClass(name);
            return known == null ? findClass(name) : known;
          }

          @Override
          public @Nullable URL getResource(String name) {
            URL here = findResource(name);
            return here == null ? super.getResource(name) : here;
          }
        };
    var constructor = own.loadClass(Calling.class.getName()).getDeclaredConstructor();
    constructor.setAccessible(true);
    return (Transform) constructor.newInstance();
  }

  private static final class Calling implements Transform {
    @Override
    public NDArray transform(NDArray array) {
      return Helper.help(array);
    }

    private static final class Helper {
      private static final int SUMMAND = 1_234_567;

      private static NDArray help(NDArray array) {
        return array.add(SUMMAND);
      }
    }
  }

  @Test
  void of_whatItCannotSeeThrough_asksForATag() {
    assertThatThrownBy(() -> of(new Pipeline(new Stateful(Path.of("/x"), null))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageMatching(
            "the pipeline fingerprint cannot see through pipeline\\[0]\\.state, a"
                + " sun\\.nio\\.fs\\.UnixPath: only values, arrays, lists and transforms can be"
                + " compared\\. Give optPipelineTag\\(\"…\"\\), and change the tag whenever the"
                + " preprocessing changes");
    assertThatThrownBy(() -> of(new Pipeline(array -> array)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("a lambda's code cannot be read. Give optPipelineTag");
    assertThatThrownBy(() -> of(new Pipeline() {}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("it changes how a pipeline works");
    List<Object> itself = new ArrayList<>();
    itself.add(itself);
    assertThatThrownBy(() -> of(new Pipeline(new Stateful(itself, null))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("it contains itself");
  }

  private static Pipeline pipeline(int side) {
    return new Pipeline(new Resize(side), new ToTensor())
        .add("x", new Normalize(new float[] {0.5f}, new float[] {0.25f}));
  }

  private static String of(@Nullable Pipeline pipeline) {
    return PipelineFingerprint.of(Numbers.builder().build(), pipeline, "transforms=all");
  }

  private static final class Stateful implements Transform {
    private final Object state;
    private final @Nullable Transform inner;

    Stateful(Object state, @Nullable Transform inner) {
      this.state = state;
      this.inner = inner;
    }

    @Override
    public NDArray transform(NDArray array) {
      return inner == null || state.equals(array) ? array : inner.transform(array);
    }
  }
}
