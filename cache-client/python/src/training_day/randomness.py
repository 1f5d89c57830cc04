"""What is random: known classes, generators, and the states of the ordinary ones."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, Optional

import numpy as np
import torch

__all__ = ["RngState", "RngWatch", "kept", "key_of", "random_reason", "seed_all"]

_TORCHVISION = ("torchvision.transforms", "torchvision.prototype.transforms")
_TORCHVISION_RANDOM = {
    "AugMix",
    "AutoAugment",
    "ColorJitter",
    "CutMix",
    "ElasticTransform",
    "GaussianBlur",
    "GaussianNoise",
    "JPEG",
    "MixUp",
    "RandAugment",
    "ScaleJitter",
    "TrivialAugmentWide",
}
_ALBUMENTATIONS_FIXED = {
    "CenterCrop",
    "Crop",
    "Lambda",
    "LongestMaxSize",
    "NoOp",
    "Normalize",
    "PadIfNeeded",
    "Resize",
    "SmallestMaxSize",
    "ToFloat",
    "ToGray",
    "ToTensorV2",
    "Transpose",
    "HorizontalFlip",
    "VerticalFlip",
}
# Functions that give something else each time without a state that could be compared.
UNSEEN = {
    ("numpy.random", "default_rng"),
    ("numpy.random", "RandomState"),
    ("numpy.random", "SeedSequence"),
    ("os", "urandom"),
    ("random", "SystemRandom"),
    ("secrets", "choice"),
    ("secrets", "randbelow"),
    ("secrets", "randbits"),
    ("secrets", "token_bytes"),
    ("secrets", "token_hex"),
    ("uuid", "uuid1"),
    ("uuid", "uuid4"),
}


def is_ordinary(value: Any) -> bool:
    """Whether it is the generator behind the functions of `random`, `numpy.random` or `torch`."""
    ordinary = (
        random._inst,  # type: ignore[attr-defined]
        np.random.mtrand._rand,  # type: ignore[attr-defined]
        torch.default_generator,
    )
    return any(value is one for one in ordinary)


def random_reason(value: Any) -> Optional[str]:
    """Why an object makes what it is part of random, None if it does not as far as is known."""
    kind = type(value)
    if isinstance(value, (np.random.Generator, np.random.RandomState, np.random.BitGenerator)):
        return "a numpy generator"
    if isinstance(value, torch.Generator):
        return "a torch generator"
    if isinstance(value, random.Random):
        return "a random generator"
    for base in kind.__mro__:
        module, name = base.__module__, base.__name__
        if module.startswith(_TORCHVISION) and (
            name.startswith("Random") or name in _TORCHVISION_RANDOM
        ):
            return f"torchvision's {name}"
        if module.startswith("albumentations") and _is_random_albumentation(value, kind):
            return f"albumentations' {kind.__name__}"
    if isinstance(value, torch.nn.modules.dropout._DropoutNd) and value.training and value.p > 0:
        return f"{kind.__name__} in training mode"
    return None


def _is_random_albumentation(value: Any, kind: type) -> bool:
    if isinstance(getattr(value, "transforms", None), (list, tuple)):
        return kind.__name__ in ("OneOf", "SomeOf", "OneOrOther", "RandomOrder")
    if not hasattr(value, "p") or not callable(value):
        return False
    certain = value.p in (0, 1) or getattr(value, "always_apply", False)
    return not (certain and kind.__name__ in _ALBUMENTATIONS_FIXED)


class RngState:
    """The states of the three ordinary generators, to go back to."""

    def __init__(self) -> None:
        self.torch = torch.default_generator.get_state()
        self.random = random.getstate()
        self.numpy = np.random.get_state(legacy=False)

    def restore(self) -> None:
        torch.default_generator.set_state(self.torch)
        random.setstate(self.random)
        np.random.set_state(self.numpy)


# numpy's MT19937: 624 words and the position among them.
_MT_BYTES = 4 * 624 + 4
_NO_SPARE = (0, 0.0)


class RngWatch:
    """Notices draws from the three ordinary generators. Beside each load of a sample, it costs a
    third of comparing whole RngStates."""

    def __init__(self) -> None:
        self._seen = self._look()

    @staticmethod
    def _look(before: Any = None) -> tuple[torch.Tensor, Any, Any]:
        generator = _numpy_generator()
        if type(generator) is np.random.MT19937:
            words = ctypes.string_at(generator.ctypes.state_address, _MT_BYTES)
            # To ask for the spare one costs as much as all else: where none waited, none can come
            # without a change of the state.
            none = isinstance(before, tuple) and before == (words, _NO_SPARE)
            numpy: Any = words, _NO_SPARE if none else _spare()
        else:
            numpy = generator.state
        return torch.default_generator.get_state(), random.getstate(), numpy

    def drawn(self) -> list[str]:
        """Which of them have been drawn from since."""
        (torch_then, *then), (torch_now, *now) = self._seen, self._look(self._seen[2])
        names = [] if torch.equal(torch_then, torch_now) else ["torch"]
        return names + [
            name for name, old, new in zip(("random", "numpy"), then, now) if _differ(old, new)
        ]

    def restore(self) -> None:
        torch_then, random_then, numpy = self._seen
        torch.default_generator.set_state(torch_then)
        random.setstate(random_then)
        if isinstance(numpy, tuple):
            state, (has_gauss, gauss) = numpy
            words = np.frombuffer(state, np.uint32)
            np.random.set_state(("MT19937", words[:-1], int(words[-1]), has_gauss, gauss))
        else:
            _numpy_generator().state = numpy


def _differ(old: Any, new: Any) -> bool:
    # A dictionary holds arrays, which do not compare as a whole.
    return repr(old) != repr(new) if isinstance(old, dict) else bool(old != new)


def _numpy_generator() -> Any:
    return np.random.mtrand._rand._bit_generator  # type: ignore[attr-defined]


def _spare() -> tuple[int, float]:
    """Normal numbers are drawn in pairs: whether the second of one waits, and which it is. It lies
    beside the state, and whoever takes it draws nothing from there."""
    state = np.random.get_state(legacy=False)
    return state["has_gauss"], state["gauss"]


@contextmanager
def kept() -> Iterator[None]:
    """Leaves the three generators as they were."""
    state = RngState()
    try:
        yield
    finally:
        state.restore()


def key_of(seed: int, *parts: int) -> int:
    """A number of 63 bits that depends on all of the numbers."""
    text = ":".join(str(int(part)) for part in (seed, *parts))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def seed_all(key: int) -> None:
    """Seeds the three ordinary generators; those of accelerators stay as they are."""
    torch.default_generator.manual_seed(key)
    random.seed(key)
    np.random.seed(key & 0xFFFF_FFFF)
