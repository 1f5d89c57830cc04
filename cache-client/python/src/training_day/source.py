"""What a data set is made of: its length and a digest of which samples it holds."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Optional

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Subset

from training_day.errors import TrainingDayError
from training_day.fingerprints import Walk, _attributes, _length, is_source

__all__ = ["SourceError", "source_digest"]

# One of them says it all: the rest are made of it.
_BEST = ("_fingerprint", "samples", "imgs", "_samples", "files", "filenames", "file_list", "ids")
_DERIVED = {"classes", "class_to_idx", "cumulative_sizes"}


class SourceError(TrainingDayError):
    """It cannot be told which samples a data set holds."""


def source_digest(raw: Any, source: Optional[str], walk: Walk) -> str:
    """The digest that, with the length, tells one source from another.

    Raises SourceError if nothing in the data set says which samples it holds.
    """
    if source is not None:
        if not source or len(source.encode()) > 900:
            raise ValueError(f"source of {len(source)} characters, allowed: 1 to 900 bytes")
        return f"source={source}"
    found = _describe(raw)
    if found is None:
        if walk.locations or isinstance(raw, (list, tuple)):
            where = ", ".join(walk.locations) or "a plain list"
            raise SourceError(
                f"nothing in {type(raw).__qualname__} says which samples it holds ({where} does"
                " not): give source=, a text that changes whenever the files do, such as a version"
                " or a checksum"
            )
        return ""
    return found if len(found.encode()) <= 900 else _hash([found])


def _describe(raw: Any) -> Optional[str]:
    kind = type(raw).__name__
    if isinstance(raw, Subset):
        inner = _describe(raw.dataset)
        return f"Subset indices={_hash(_canonical(raw.indices, ''))} of {inner or kind_of(raw)}"
    if isinstance(raw, ConcatDataset):
        inner = [_describe(one) or f"{kind_of(one)} {_length(one)}" for one in raw.datasets]
        return "Concat of " + ", ".join(inner)
    attributes = _attributes(raw)
    length = _length(raw)
    root = str(attributes.get("root") or "")
    parts = []
    for name in _BEST:
        if attributes.get(name) is not None:
            parts.append(f"{name}={_digest(attributes[name], root)}")
            break
    else:
        for name, one in sorted(attributes.items()):
            if name not in _DERIVED and one is not None and is_source(name, one, length):
                parts.append(f"{name}={_digest(one, root)}")
    for name in ("dataset", "datasets", "ds", "base", "_dataset"):
        inner_set = attributes.get(name)
        if inner_set is not None and hasattr(inner_set, "__getitem__") and not parts:
            found = _describe(inner_set) if not isinstance(inner_set, (list, tuple, dict)) else None
            if found:
                parts.append(f"of {found}")
    return f"{kind} {' '.join(parts)}" if parts else None


def kind_of(raw: Any) -> str:
    return type(raw).__name__


def _digest(value: Any, root: str) -> str:
    if isinstance(value, str) and len(value) <= 200:
        return value
    return _hash(_canonical(value, root))


def _hash(parts: Any) -> str:
    digest = blake2b(digest_size=12)
    for part in parts:
        digest.update(part.encode("utf-8", "replace") if isinstance(part, str) else part)
    return digest.hexdigest()


def _canonical(value: Any, root: str) -> Iterator[Any]:
    """Text and bytes that say what a value is, paths counted from where all of them lie."""
    if isinstance(value, (list, tuple)):
        yield f"[{len(value)}:"
        prefix = _prefix(value, root)
        if value and all(type(one) is int for one in value):
            yield np.asarray(value, dtype=object).astype(str).tobytes()
        elif all(type(one) is tuple and len(one) == 2 for one in value) and all(
            type(path) is str and isinstance(label, int) for path, label in value
        ):
            yield "\n".join(f"{_text(path, prefix)}\t{label}" for path, label in value)
        else:
            for one in value:
                yield from _canonical(one, prefix)
        yield "]"
    elif isinstance(value, (str, pathlib.PurePath)):
        yield _text(str(value), root)
    elif isinstance(value, torch.Tensor):
        flat = value.detach().cpu().contiguous().reshape(-1)
        yield f"tensor {value.dtype} {tuple(value.shape)}"
        yield memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else b""
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield f"array {value.dtype} {value.shape}"
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, np.ndarray):
        yield from _canonical(value.tolist(), root)
    elif isinstance(value, Mapping):
        yield f"{{{len(value)}:"
        for key, one in value.items():
            yield from _canonical(key, root)
            yield from _canonical(one, root)
        yield "}"
    elif isinstance(value, (set, frozenset)):
        yield from sorted("".join(str(p) for p in _canonical(one, root)) for one in value)
    elif isinstance(value, (int, float, bool, bytes, complex, np.generic, range, type(None))):
        yield f"{type(value).__name__} {value!r};"
    elif hasattr(value, "to_numpy"):  # A pandas column or table.
        yield from _canonical(np.asarray(value.to_numpy()), root)
    elif hasattr(value, "__dict__"):
        yield type(value).__name__
        yield from _canonical(vars(value), root)
    else:
        raise SourceError(
            f"a {type(value).__qualname__} among the samples cannot be told from another: give"
            " source=, a text that changes whenever they do"
        )


def _text(value: str, root: str) -> str:
    """With its length: whatever texts hold, two lists of them never run together to the same."""
    start = len(root) if root and value.startswith(root) else 0
    return f"'{len(value) - start}:{value[start:]}'"


def _prefix(value: Any, root: str) -> str:
    def path(one: Any) -> Optional[str]:
        if isinstance(one, (tuple, list)) and one:
            one = one[0]
        return str(one) if isinstance(one, (str, pathlib.PurePath)) else None

    if root:
        return root
    if len(value) < 2:
        only = path(value[0]) if value else None
        return os.path.dirname(only) if only and os.path.isabs(only) else ""
    first, last = path(value[0]), path(value[-1])
    if not first or not last or not os.path.isabs(first) or not os.path.isabs(last):
        return ""
    paths = [p for p in map(path, value) if p is not None and os.path.isabs(p)]
    return os.path.commonpath([os.path.dirname(min(paths)), os.path.dirname(max(paths))])
