package io.trainingday.djl;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.modality.cv.transform.RandomFlipLeftRight;
import ai.djl.modality.cv.transform.Resize;
import ai.djl.modality.cv.transform.ToTensor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.translate.Pipeline;
import ai.djl.translate.Transform;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class RandomPartsTest {
  @Test
  void find_djlsOwn_areToldByName() {
    assertThat(RandomParts.find(new ToTensor())).isNull();
    assertThat(RandomParts.find(new Resize(8))).isNull();
    assertThat(RandomParts.find(new RandomFlipLeftRight()))
        .isEqualTo("ai.djl.modality.cv.transform.RandomFlipLeftRight");
  }

  @Test
  void find_markedOrHoldingAGenerator_areRandom() {
    assertThat(RandomParts.find(new Marked())).isEqualTo(Marked.class.getName());
    assertThat(RandomParts.find(new Holding(new Random(1)))).isEqualTo("java.util.Random");
    assertThat(RandomParts.find(new Holding("Random"))).isNull();
  }

  @Test
  void find_insideOtherTransforms_isFound() {
    assertThat(RandomParts.find(new Holding(List.of(new ToTensor(), new Marked()))))
        .isEqualTo(Marked.class.getName());
    assertThat(RandomParts.find(new Holding(new Transform[] {new Holding(new Marked())})))
        .isEqualTo(Marked.class.getName());
    assertThat(RandomParts.find(new Holding(new Pipeline(new ToTensor(), new Marked()))))
        .isEqualTo(Marked.class.getName());
    Holding itself = new Holding(new ToTensor());
    itself.part = itself;
    assertThat(RandomParts.find(itself)).isNull();
  }

  private static final class Marked implements RandomTransform {
    @Override
    public NDArray transform(NDArray array) {
      return array;
    }
  }

  private static final class Holding implements Transform {
    private Object part;

    Holding(Object part) {
      this.part = part;
    }

    @Override
    public NDArray transform(NDArray array) {
      return part instanceof Pipeline pipeline
          ? pipeline.transform(new NDList(array)).head()
          : array;
    }
  }
}
