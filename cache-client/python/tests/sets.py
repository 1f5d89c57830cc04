"""Data sets that worker processes can import."""

from __future__ import annotations

import random
import threading
import time
from typing import Any, Callable, NamedTuple, Optional

import numpy as np
import torch
from torch.utils.data import Dataset

import training_day


class Pair(NamedTuple):
    image: torch.Tensor
    label: int


training_day.register(Pair)


class Images(Dataset):
    """Small images whose values tell their index."""

    def __init__(self, n: int = 64, shape: tuple[int, ...] = (3, 8, 8), scale: float = 1.0) -> None:
        self.n = n
        self.shape = shape
        self.scale = scale
        self.classes = ["even", "odd"]

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        generator = torch.Generator().manual_seed(index)
        return torch.rand(self.shape, generator=generator) * self.scale, index % 2


class Named(Images):
    def __getitem__(self, index: int) -> Any:
        image, label = super().__getitem__(index)
        return Pair(image, label)


class Scalars(Images):
    """With labels as numpy gives them."""

    def __getitem__(self, index: int) -> Any:
        image, label = super().__getitem__(index)
        return image, np.int64(label)


class Slow(Images):
    def __init__(self, n: int = 64, seconds: float = 0.002, **more: Any) -> None:
        super().__init__(n, **more)
        self.seconds = seconds

    def __getitem__(self, index: int) -> Any:
        until = time.perf_counter() + self.seconds
        while time.perf_counter() < until:
            pass
        return super().__getitem__(index)


class LargeThenSlow(Images):
    """A hot set of 128 KiB each, then many small ones that take their time."""

    def __getitem__(self, index: int) -> Any:
        if index < 32:
            return torch.full((64, 512), float(index)), 0
        return Slow.__getitem__(Slow(self.n, 0.003), index)


class Varied(Dataset):
    """Images and texts of their own sizes."""

    def __init__(self, n: int = 32) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        return {"x": torch.full((index + 1, 2), float(index)), "caption": "c" * (index % 5)}


class Captioned(Dataset):
    def __init__(self, n: int = 32) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        return torch.full((4,), index), "c" * (index % 5), [index, 2], {"b": bytes([index])}


class Everything(Dataset):
    """What default_collate takes."""

    def __init__(self, n: int = 16) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        return {
            "t": torch.full((2, 3), index, dtype=torch.int16),
            "bf": torch.full((2,), index).to(torch.bfloat16),
            "n": np.full((3,), index, np.float32),
            "i": index,
            "f": index / 7,
            "b": index % 3 == 0,
            "pair": Pair(torch.tensor(index), index),
            "list": [1, index],
            "floats": (0.5, float(index)),
            "mixed": (index, 1.5, "abc"),
            "empty": torch.empty(0),
            "nested": {"s": "text", "y": b"by"},
        }


class Compose:
    def __init__(self, transforms: list[Any]) -> None:
        self.transforms = transforms

    def __call__(self, x: Any) -> Any:
        for step in self.transforms:
            x = step(x)
        return x


class Double:
    def __call__(self, x: Any) -> Any:
        return x * 2


class RandomCrop:
    """Random by drawing, not by its library."""

    def __call__(self, x: Any) -> Any:
        top = int(torch.randint(0, 4, ()))
        left = random.randint(0, 3)
        return x[:, top : top + 4, left : left + 4] * float(np.random.uniform(0.5, 1.5))


class Transformed(Images):
    def __init__(self, transform: Optional[Callable[..., Any]], n: int = 32) -> None:
        super().__init__(n)
        self.transform = transform

    def __getitem__(self, index: int) -> Any:
        image, label = super().__getitem__(index)
        return (self.transform(image) if self.transform else image), label


class Late:
    """Pickled only when its process has read 16 samples more, or all that it will."""

    total = 0
    read = 0
    changed = threading.Condition()

    def __init__(self) -> None:
        with Late.changed:
            Late.read += 1
            self._until = min(Late.read + 16, Late.total)
            Late.changed.notify_all()

    def __reduce__(self) -> Any:
        with Late.changed:
            if not Late.changed.wait_for(lambda: Late.read >= self._until, 30):
                raise TimeoutError(f"{Late.read} samples read, expected {self._until}")
        return int, ()


training_day.register(Late, pack=lambda late: None, unpack=lambda nothing: Late())


class Lately(Images):
    def __getitem__(self, index: int) -> Any:
        return (*super().__getitem__(index), Late())


def noise(sample: Any) -> Any:
    image, label = sample
    return image + torch.rand(()) + random.random() + float(np.random.rand()), label


def noise_rng(sample: Any, rng: np.random.Generator) -> Any:
    image, label = sample
    return image + rng.random(), label


def in_place(sample: Any) -> Any:
    sample[0].add_(1)
    return sample


def busy_noise(sample: Any) -> Any:
    until = time.perf_counter() + 0.002
    while time.perf_counter() < until:
        pass
    return noise(sample)


class InMemory(Dataset):
    """Gives its own tensors away."""

    def __init__(self, n: int = 16) -> None:
        self.data = torch.arange(n * 4.0).reshape(n, 4)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Any:
        return self.data[index], index


class Files(Dataset):
    """Samples by path, as ImageFolder has them."""

    def __init__(self, root: str, n: int = 10) -> None:
        self.root = root
        self.samples = [(f"{root}/{i}.jpg", i % 2) for i in range(n)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        path, label = self.samples[index]
        return torch.tensor(len(path)), label
