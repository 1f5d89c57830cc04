"""Cutting a pipeline before its first random step: what comes before is cached, the rest runs after
every read."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any, Callable, Optional

import torch
from torch.utils.data import Subset

from training_day.errors import RandomTransformError
from training_day.fingerprints import Setting, Walk

__all__ = ["Cut", "cut_random"]

_ATTRIBUTES = ("transform", "transforms")
# At the end of a path: steps take what is there as several arguments. No key is a list.
_SEVERAL: list[Any] = []


class Prefix:
    """The steps before the cut; remembers what came out last, to find it in the sample."""

    def __init__(self, steps: Sequence[Any]) -> None:
        self.steps = list(steps)
        self._last = threading.local()

    def __call__(self, *given: Any) -> Any:
        inputs: Any = given
        for step in self.steps:
            output = step(*inputs)
            inputs = output if len(inputs) > 1 else (output,)
        last = inputs if len(inputs) > 1 else inputs[0]
        self._last.value = last, len(given) > 1
        return last

    def take(self) -> tuple[Any, bool]:
        """What the last call in this thread gave, and whether its arguments were several."""
        return self._last.__dict__.pop("value", (None, False))

    def __getstate__(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]
        self._last = threading.local()


class Cut:
    """A data set without its random steps, and those steps."""

    def __init__(self, raw: Any, prefix: Prefix, rest: Sequence[Any], cut: Setting) -> None:
        self.raw = raw
        self.names = [type(step).__name__ for step in rest]
        self._prefix = prefix
        self._rest = list(rest)
        self._path: Optional[tuple[Any, ...]] = None
        self._cut = cut

    def settings(self, whole: Any, settings: Sequence[Setting]) -> list[Setting]:
        """Those of the data set that was cut, and of its copy, which no longer follows it."""
        found = [*settings, self._cut]
        steps = getattr(self._cut.value, "transforms", None)
        if isinstance(steps, list):
            path = f"{self._cut.path}.{self._cut.name}"
            found.append(Setting(path, self._cut.value, "transforms", tuple(steps)))
        copied = self.raw
        while True:
            for one in settings:
                if one.owner is copied and getattr(whole, one.name, self) is one.value:
                    found.append(one._replace(owner=whole))
            if not isinstance(whole, Subset):
                return found
            whole, copied = whole.dataset, copied.dataset

    def locate(self, sample: Any) -> tuple[Any, ...]:
        """Where in a sample just loaded the output of the steps is.

        Raises RandomTransformError if something was made of it.
        """
        output, several = self._prefix.take()
        path = _find(sample, output)
        if path is None:
            raise RandomTransformError(
                f'cut="auto" cannot run {", ".join(self.names)} after the cache: what the steps'
                " before gave is not in the sample as it was. Take them out of the transform and"
                " give them as augment=fn"
            )
        return (*path, _SEVERAL) if several else path

    def finish(self, sample: Any, path: tuple[Any, ...]) -> Any:
        """Runs the random steps."""
        several = bool(path) and path[-1] == _SEVERAL
        path = path[:-1] if several else path
        part = sample
        for key in path:
            part = part[key]
        for step in self._rest:
            part = step(*part) if several else step(part)
        return _replaced(sample, path, part)


def cut_random(raw: Any) -> Cut:
    """Cuts a data set's Compose before its first random step.

    Raises RandomTransformError if there is nothing to cut, or randomness is elsewhere.
    """
    chain = [raw]
    while isinstance(chain[-1], Subset):
        chain.append(chain[-1].dataset)
    owner = chain[-1]
    for attribute in _ATTRIBUTES:
        compose = getattr(owner, attribute, None)
        steps = _steps(compose)
        if steps is None:
            continue
        first = next((k for k, step in enumerate(steps) if _is_random(step)), None)
        if first is None:
            continue
        prefix = Prefix(steps[:first])
        made = copy.copy(owner)
        setattr(made, attribute, prefix)
        if attribute == "transform":
            _rewire(made, compose, prefix)
        rest = steps[first:]
        for outer in reversed(chain[:-1]):
            outer = copy.copy(outer)
            outer.dataset = made
            made = outer
        return Cut(made, prefix, rest, Setting("raw", owner, attribute, compose))
    raise RandomTransformError(
        f'cut="auto" found no Compose with a random step in {type(owner).__qualname__}.transform;'
        " give the random part as augment=fn"
    )


def _rewire(made: Any, old: Any, new: Any) -> None:
    """torchvision keeps a transform a second time, joined with the target's."""
    joined = getattr(made, "transforms", None)
    if joined is not None and getattr(joined, "transform", None) is old:
        joined = copy.copy(joined)
        joined.transform = new
        made.transforms = joined


def _steps(compose: Any) -> Optional[list[Any]]:
    if isinstance(compose, torch.nn.Sequential):
        return list(compose)
    inner = getattr(compose, "transforms", None)
    if isinstance(inner, (list, tuple)) and "Compose" in type(compose).__name__:
        # A Compose of a Compose is one chain.
        flat: list[Any] = []
        for step in inner:
            nested = _steps(step)
            flat += nested if nested is not None else [step]
        return flat
    return None


def _is_random(step: Any) -> bool:
    walk = Walk(tolerant=True)
    walk.value("step", step)
    walk._settle()
    return bool(walk.random) or draws(step)


_DRAWING = {
    "torch": {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"},
    "random": {"random", "randint", "uniform", "choice", "choices", "shuffle", "sample", "gauss",
               "randrange", "normalvariate"},
    "numpy.random": {"rand", "randn", "randint", "random", "uniform", "choice", "normal",
                     "permutation", "shuffle", "random_sample"},
}  # fmt: skip


def draws(step: Any) -> bool:
    """Whether code of a user's own step names a function that draws from an ordinary generator."""
    walk = Walk(tolerant=True)
    walk.value("step", step)
    walk._settle()
    for path, _ in walk.fields:
        if not path.startswith("global "):
            continue
        parts = path[len("global ") :].split(".")
        for functions in _DRAWING.values():
            if (
                len(parts) > 1
                and parts[-1] in functions
                and parts[-2]
                in (
                    "torch",
                    "random",
                    "np",
                    "numpy",
                    "rng",
                )
            ):
                return True
    return False


def _find(sample: Any, wanted: Any) -> Optional[tuple[Any, ...]]:
    if sample is wanted:
        return ()
    if isinstance(wanted, tuple) and isinstance(sample, tuple) and len(wanted) == len(sample):
        same = all(one is other for one, other in zip(sample, wanted))
        if same:
            return ()
    if isinstance(sample, dict):
        items: Any = sample.items()
    elif isinstance(sample, (list, tuple)):
        items = enumerate(sample)
    else:
        return None
    for key, one in items:
        path = _find(one, wanted)
        if path is not None:
            return (key, *path)
    return None


def _replaced(sample: Any, path: tuple[Any, ...], part: Any) -> Any:
    if not path:
        return part
    key, rest = path[0], path[1:]
    inner = _replaced(sample[key], rest, part)
    if isinstance(sample, tuple):
        items = [*sample[:key], inner, *sample[key + 1 :]]
        make: Callable[..., Any] = type(sample)
        return make(*items) if hasattr(sample, "_fields") else tuple(items)
    sample = copy.copy(sample)
    sample[key] = inner
    return sample
