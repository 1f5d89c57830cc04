"""The identity of what a data set makes of a sample.

A fingerprint is a list of fields, each a path and a text: the code of `__getitem__` and of what it
calls, transforms and their arguments, closure values, constants, versions of libraries. Not in it:
addresses, paths, times, line numbers, and the list of samples, which is the source's identity.

It sees code by names. A method counts when its name stands in code that counts; functions, classes
and constants count when a name leads to them. So it may see more than runs, which at worst loads
samples again, and never less than it can name; what it cannot see through is refused.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import datetime
import dis
import enum
import fractions
import functools
import glob
import importlib
import importlib.metadata
import inspect
import io
import json
import logging
import operator
import os
import pathlib
import re
import sys
import sysconfig
import threading
import types
import weakref
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple, Optional, Union

import numpy as np
import torch
from torch.utils.data import Dataset

from training_day import randomness
from training_day.errors import FingerprintError

__all__ = ["Fingerprint", "fingerprint"]

_FORMAT = "1"
_MAX_TEXT = 32 << 10
_LONG = 200
_MAX_DEPTH = 60

# Attributes that say where or which samples are; the source's identity is made of them.
LOCATION_NAMES = {
    "root", "root_dir", "root_path", "path", "paths", "dir", "directory", "folder", "data_dir",
    "data_root", "data_path", "base_dir", "base_folder", "base_path", "img_dir", "image_dir",
    "images_dir", "file", "filename", "file_path", "filepath", "cache_dir", "url", "split_folder",
}  # fmt: skip
SOURCE_NAMES = {
    "samples", "imgs", "targets", "classes", "class_to_idx", "_fingerprint", "indices", "files",
    "cumulative_sizes", "file_list", "filenames", "_samples", "_labels", "_image_files", "ids",
    "coco", "_data",
}  # fmt: skip
_NO_EFFECT = (logging.Logger, weakref.ref, weakref.WeakSet, type(threading.Lock()))
_UNSEEN_METHODS = {
    "__init__", "__repr__", "__str__", "__len__", "__del__", "__getstate__", "__setstate__",
    "__reduce__", "__reduce_ex__", "__init_subclass__", "__class_getitem__", "__hash__", "__eq__",
    "__sizeof__", "__dir__", "__format__", "__copy__", "__deepcopy__", "__add__", "__annotate__",
    "__post_init__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__match_args__",
}  # fmt: skip
_UNSEEN_CLASS_NAMES = {
    "__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__",
    "__parameters__", "__orig_bases__", "__slots__", "__abstractmethods__", "_abc_impl",
    "__dataclass_fields__", "__dataclass_params__", "__static_attributes__", "__firstlineno__",
}  # fmt: skip
_REFLECTION = {"getattr", "globals", "vars", "eval", "exec", "__import__", "locals", "hasattr"}
_IMPURE = {("os", "environ"), ("os", "getenv"), ("os", "environb"), ("sys", "argv")}
# What comes out of a library depends on what it calls.
_BUILT_ON = {
    "torchvision": ("torch", "PIL", "numpy"),
    "albumentations": ("cv2", "numpy"),
    "torchaudio": ("torch",),
    "datasets": ("numpy",),
}
_STDLIB = tuple(
    os.path.realpath(p) + os.sep
    for key in ("stdlib", "platstdlib")
    if (p := sysconfig.get_paths().get(key))
)
_SITE = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """Fields in the order they were met. Equal digests: the same preprocessing."""

    fields: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        digest = blake2b(digest_size=16)
        for path, text in self.fields:
            digest.update(f"{len(path)}:{path}={len(text)}:{text};".encode("utf-8", "replace"))
        return digest.hexdigest()

    @property
    def text(self) -> str:
        """What a node keeps: the digest and, where it is short enough, every field."""
        head = f"python {self.digest}\n"
        whole = head + "\n".join(f"{path} = {text}" for path, text in self.fields)
        return whole if len(whole.encode("utf-8", "replace")) <= _MAX_TEXT else head

    def explain(self, other: Optional[Fingerprint] = None) -> str:
        """What went in, one field a line; or what differs from another fingerprint."""
        if other is None:
            return "\n".join(f"{path} = {text}" for path, text in self.fields)
        own, others = dict(self.fields), dict(other.fields)
        lines = []
        for path in [*own, *(path for path in others if path not in own)]:
            here, there = own.get(path), others.get(path)
            if here != there:
                lines.append(f"{path}: {here or 'not here'} | other: {there or 'not there'}")
        return "\n".join(lines) or "no difference"

    def __str__(self) -> str:
        return self.digest


def fingerprint(raw: Any) -> Fingerprint:
    """The fingerprint of a data set, or of a transform.

    Raises FingerprintError naming what it cannot see through.
    """
    return Fingerprint(tuple(walked(raw).fields))


def walked(raw: Any, tolerant: bool = False) -> Walk:
    """Goes through a data set, twice: what loading writes is only known at the end."""
    first = Walk(tolerant=True)
    first.root(raw)
    walk = Walk(tolerant)
    walk._written = first._found_written
    walk.root(raw)
    return walk


class Setting(NamedTuple):
    """An attribute that decides what is made of a sample, as it was."""

    path: str
    owner: Any
    name: str
    value: Any

    def change(self) -> Optional[str]:
        """How it is different now, None if it is as it was.

        Only what is clear counts. Loading opens handles, fills caches and counts, and others may
        have it do so: what is neither code nor plain may change, and so may what is in containers.
        """
        now = getattr(self.owner, self.name, None)
        if now is self.value:
            return None
        now = _as_it_is(now)
        if now is self.value or not _is_setting(now):
            return None
        if (
            type(now) is tuple
            and type(self.value) is tuple
            and len(now) == len(self.value)
            and all(one is other for one, other in zip(now, self.value))
        ):
            return None
        try:
            where = f"{self.path}.{self.name}"
            before, after = _fields_of(where, self.value), _fields_of(where, now)
        except FingerprintError:
            return None
        if before.fields == after.fields:
            return None
        return before.explain(after).partition("\n")[0].replace(" | other: ", " | now: ")


def _as_it_is(value: Any) -> Any:
    """Of a container what is in it now."""
    if type(value) is list:
        return tuple(value) if value and all(map(callable, value)) else value
    return (*value, *value.values()) if type(value) is dict else value


def _is_setting(value: Any) -> bool:
    if type(value) is tuple:
        return len(value) <= 64 and all(map(_is_setting, value))
    plain = (bool, int, float, complex, str, bytes, enum.Enum, torch.dtype, np.dtype)
    return value is None or isinstance(value, (*plain, Dataset)) or callable(value)


def _fields_of(path: str, value: Any) -> Fingerprint:
    written: set[tuple[str, str]] = set()
    for tolerant in (True, False):
        walk = Walk(tolerant)
        walk._written = written
        walk.value(path, value)
        walk._settle()
        written = walk._found_written
    return Fingerprint(tuple(walk.fields))


@functools.cache
def _stored_by_library(kind: type) -> frozenset[str]:
    """Names of attributes that a library's class stores in its objects as they are used."""
    return frozenset(
        stored
        for base in kind.__mro__
        if library_of(base.__module__)
        for name, one in vars(base).items()
        if not name.startswith("set_")
        for function in [getattr(one, "fget", None) or _unwrapped(one)]
        if isinstance(function, types.FunctionType)
        for stored in _written_attributes(function.__code__)
    )


def tagged(tag: str) -> Fingerprint:
    """The fingerprint of a pipeline whose owner says what it is."""
    if not tag or len(tag.encode()) > 1000:
        raise ValueError(f"pipeline_tag of {len(tag)} characters, allowed: 1 to 1000 bytes")
    return Fingerprint((("tag", tag),))


class Walk:
    """Goes through a data set; also notes what it meets that is random, and where samples lie."""

    def __init__(self, tolerant: bool = False) -> None:
        self.fields: list[tuple[str, str]] = [
            ("format", _FORMAT),
            ("python", "{}.{}".format(*sys.version_info[:2])),
        ]
        self.random: list[tuple[str, str]] = []
        self.locations: list[str] = []
        self._tolerant = tolerant
        self._seen: dict[int, str] = {}
        self._kept: list[Any] = []  # Ids are only good while their objects live.
        self._libraries: set[str] = set()
        self._names: set[str] = set()
        self._written: frozenset[tuple[str, str]] | set[tuple[str, str]] = set()
        self._found_written: set[tuple[str, str]] = set()
        self._reflects = False
        self._owners: list[tuple[str, Any, set[str], bool]] = []
        self._modules: dict[str, types.ModuleType] = {}
        self._globals: dict[str, int] = {}
        self._settings: list[Setting] = []
        self._stored: set[str] = set()
        self._depth = 0

    # The result.

    def root(self, raw: Any) -> None:
        if isinstance(raw, types.FunctionType):
            self.value("raw", raw)
        else:
            self._dataset("raw", raw)
        self._settle()
        for name in list(self._libraries):
            self._libraries.update(_BUILT_ON.get(name, ()))
        for name in sorted(self._libraries):
            self.fields.append((f"library.{name}", version_of(name)))

    @property
    def settings(self) -> list[Setting]:
        """Those attributes met that loading does not write itself, as they are."""
        if self._names & {"setattr", "__dict__", "__setattr__"}:
            return []
        return [one for one in self._settings if one.name not in self._stored]

    def _add(self, path: str, text: str) -> None:
        if len(text) > _LONG:
            digest = blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
            text = f"{text[:60]}… {len(text)}#{digest}"
        self.fields.append((path, text))

    def _blind(self, path: str, value: Any, why: str) -> None:
        if self._tolerant:
            return
        kind = type(value)
        raise FingerprintError(
            f"the fingerprint cannot see through {path}, a {kind.__module__}.{kind.__qualname__}:"
            f' {why}. Give pipeline_tag="…", and change the tag whenever the preprocessing changes'
        )

    # Data sets.

    def _dataset(self, path: str, raw: Any) -> None:
        kind = type(raw)
        self._remember(path, raw)
        length = _length(raw)
        if kind.__module__.startswith("datasets.") and hasattr(raw, "format"):
            # Its rows and their features are the source, which has a fingerprint of its own.
            self._add(path, _class_name(kind))
            self._libraries.add(library_of(kind.__module__))
            self.value(f"{path}.format", {k: v for k, v in raw.format.items() if k != "columns"})
            self.value(f"{path}.columns", list(raw.format.get("columns") or ()))
            for name in ("_format_type", "_format_kwargs"):
                if name in vars(raw):
                    self._settings.append(Setting(path, raw, name, _as_it_is(vars(raw)[name])))
            return
        self._owner(path, raw, {"__getitem__", "__getitems__", "__call__", "forward"}, True, length)

    def _owner(
        self,
        path: str,
        value: Any,
        entries: set[str],
        is_dataset: bool = False,
        length: int = -1,
    ) -> None:
        """An object with code: its class now, its attributes and methods as names reach them."""
        kind = type(value)
        self._add(path, " ".join(_class_name(base) for base in kind.__mro__[:-1]))
        library = library_of(kind.__module__)
        if library:
            self._libraries.add(library)
            for base in kind.__mro__:
                if not library_of(base.__module__):
                    self._methods(path, base, entries)
            for name, one in sorted(_attributes(value).items()):
                self._attribute(path, name, one, value, is_dataset, length)
            return
        self._owners.append((path, value, entries, is_dataset))

    def _settle(self) -> None:
        """Names lead to methods and attributes, whose code has names, until nothing is new."""
        done: dict[tuple[int, str], bool] = {}
        while True:
            before = (len(self._names), len(self._owners), self._reflects, len(self._modules))
            for path, value, entries, is_dataset in list(self._owners):
                self._reach(path, value, entries, is_dataset, done)
            for name in sorted(self._modules):
                self._module_names(name, done)
            now = (len(self._names), len(self._owners), self._reflects, len(self._modules))
            if now == before:
                return

    def _reach(
        self,
        path: str,
        value: Any,
        entries: set[str],
        is_dataset: bool,
        done: dict[tuple[int, str], bool],
    ) -> None:
        is_class = isinstance(value, type)
        kind = value if is_class else type(value)
        length = _length(value) if is_dataset else -1
        for base in kind.__mro__:
            library = library_of(base.__module__)
            if library:
                if base is not object:
                    self._libraries.add(library)
                continue
            for name, one in sorted(vars(base).items()):
                key = (id(base), name)
                if key in done or name in _UNSEEN_CLASS_NAMES:
                    continue
                wanted = name in entries or name in self._names or self._reflects
                if is_class and name in ("__init__", "__new__", "__post_init__"):
                    wanted = True
                elif name in _UNSEEN_METHODS and name not in entries:
                    continue
                elif _is_dunder(name) and callable(one) and not is_dataset:
                    wanted = True
                if wanted:
                    done[key] = True
                    where = f"{_class_name(base)}.{name}"
                    self._note_written(base, one)
                    if is_dataset and not callable(one) and name in SOURCE_NAMES:
                        continue
                    self.value(where, _unwrapped(one))
        if is_class:
            return
        for name, one in sorted(_attributes(value).items()):
            key = (id(value), name)
            if key in done or name.startswith("__"):
                continue
            is_module = isinstance(value, torch.nn.Module)
            if name in self._names or self._reflects or (is_module and name != "training"):
                done[key] = True
                self._attribute(path, name, one, value, is_dataset, length)

    def _note_written(self, base: type, one: Any) -> None:
        function = getattr(one, "fget", None) or _unwrapped(one)
        if isinstance(function, types.FunctionType):
            for name in _written_attributes(function.__code__):
                self._found_written.add((_class_name(base), name))

    def _methods(self, path: str, base: type, entries: set[str]) -> None:
        for name, one in sorted(vars(base).items()):
            if name in entries:
                self.value(f"{path}.{name}", _unwrapped(one))

    def _attribute(
        self, path: str, name: str, one: Any, owner: Any, is_dataset: bool, length: int
    ) -> None:
        where = f"{path}.{name}"
        kind = type(owner)
        if is_dataset:
            if name in LOCATION_NAMES or isinstance(one, pathlib.PurePath) or _is_path(one):
                self.locations.append(where)
                return
            if is_source(name, one, length):
                return
        written = any((_class_name(base), name) in self._written for base in kind.__mro__)
        if not written and name not in _stored_by_library(kind):
            setting = _as_it_is(one)
            if _is_setting(setting) and not isinstance(one, dict):
                self._settings.append(Setting(path, owner, name, setting))
        if is_dataset and (isinstance(one, Dataset) or _is_dataset_like(one)):
            self._dataset(where, one)
            return
        if written and (name.startswith("_") or isinstance(one, io.IOBase)):
            # A handle opened at the first load, a cache: how it is now depends on what was loaded.
            return
        self.value(where, one)

    # Values.

    def _remember(self, path: str, value: Any) -> None:
        self._seen[id(value)] = path
        self._kept.append(value)

    def value(self, path: str, value: Any) -> None:
        """One value, whatever it is."""
        if value is None or value is Ellipsis or value is NotImplemented:
            self._add(path, repr(value))
        elif isinstance(value, (bool, int, float, complex, Decimal, fractions.Fraction)) and (
            type(value).__module__ in ("builtins", "decimal", "fractions")
        ):
            self._add(path, f"{type(value).__name__} {value!r}")
        elif type(value) in (str, bytes):
            self._add(path, f"path {_no_path(value)}" if _is_path(value) else repr(value))
        elif isinstance(value, (bytearray, memoryview)):
            self._add(path, f"bytes {_digest(bytes(value))}")
        elif isinstance(value, enum.Enum):
            self._add(path, f"{_class_name(type(value))}.{value.name}")
            if not library_of(type(value).__module__):
                self.value(f"{path}.value", value.value)
        elif isinstance(value, pathlib.PurePath):
            self._add(path, "path")
        elif isinstance(value, (np.ndarray, np.generic)):
            self._array(path, value)
        elif isinstance(value, torch.Tensor):
            self._tensor(path, value)
        elif isinstance(value, (torch.dtype, torch.device, torch.layout, torch.memory_format)):
            self._add(path, str(value))
        elif isinstance(value, (range, slice)):
            self._add(path, repr(value))
        elif isinstance(value, re.Pattern):
            self._add(path, f"re {value.pattern!r} {value.flags}")
        elif isinstance(value, (datetime.date, datetime.time, datetime.timedelta, np.dtype)):
            self._add(path, repr(value))
        elif isinstance(value, _NO_EFFECT):
            self._add(path, type(value).__name__)
        elif isinstance(value, types.ModuleType):
            self._module(path, value)
        else:
            self._compound(path, value)

    def _array(self, path: str, value: Any) -> None:
        array = np.asarray(value)
        if array.dtype.hasobject:
            self.value(path, array.tolist())
            return
        self._libraries.add("numpy")
        self._add(path, f"numpy {array.dtype} {array.shape} {_digest(array.tobytes())}")

    def _tensor(self, path: str, value: torch.Tensor) -> None:
        self._libraries.add("torch")
        try:
            content = value.detach().cpu().contiguous()
            if content.dtype is torch.bfloat16:
                content = content.view(torch.int16)
            digest = _digest(content.numpy().tobytes())
        except (RuntimeError, TypeError) as e:
            self._blind(path, value, str(e))
            return
        self._add(path, f"tensor {value.dtype} {tuple(value.shape)} {digest}")

    def _compound(self, path: str, value: Any) -> None:
        # Equal containers may be one object or several, which says nothing.
        container = isinstance(value, (tuple, list, dict, set, frozenset, collections.deque))
        known = self._seen.get(id(value))
        if known is not None:
            self._add(path, f"as {known}")
            return
        if self._depth > _MAX_DEPTH:
            self._blind(path, value, f"it is nested more than {_MAX_DEPTH} deep")
            return
        self._remember(path, value)
        self._depth += 1
        try:
            reason = randomness.random_reason(value)
            if reason is not None:
                self.random.append((path, reason))
            self._by_kind(path, value)
        finally:
            self._depth -= 1
            if container:
                del self._seen[id(value)]

    def _by_kind(self, path: str, value: Any) -> None:
        if isinstance(value, types.FunctionType):
            self._function(path, value)
        elif isinstance(value, types.MethodType):
            if randomness.is_ordinary(value.__self__):
                # Whether it is drawn from shows when samples are loaded.
                self._add(path, f"{type(value.__self__).__name__}.{value.__name__}")
                return
            self.value(f"{path}.self", value.__self__)
            self.value(path, value.__func__)
        elif isinstance(value, (staticmethod, classmethod)):
            self.value(path, value.__func__)
        elif isinstance(value, property):
            for name in ("fget", "fset"):
                if getattr(value, name) is not None:
                    self.value(f"{path}.{name}", getattr(value, name))
        elif isinstance(value, functools.partial):
            self.value(f"{path}.func", value.func)
            self.value(f"{path}.args", value.args)
            self.value(f"{path}.keywords", value.keywords)
        elif isinstance(value, functools.cached_property):
            self.value(path, value.func)
        elif isinstance(value, functools._lru_cache_wrapper):
            self.value(path, value.__wrapped__)
        elif isinstance(value, (tuple, list)) and _is_plain_sequence(value):
            self._sequence(path, value)
        elif isinstance(value, (set, frozenset)):
            self._set(path, value)
        elif isinstance(value, (dict, types.MappingProxyType)):
            self._mapping(path, value)
        elif isinstance(value, collections.deque):
            self._sequence(path, list(value))
        elif isinstance(value, type):
            self._class(path, value)
        elif isinstance(value, types.CodeType):
            self._code(path, value, {}, None)
        elif isinstance(value, (operator.attrgetter, operator.itemgetter, operator.methodcaller)):
            self._add(path, repr(value))
        elif (
            isinstance(value, (np.random.Generator, np.random.RandomState, torch.Generator))
            or type(value).__module__ == "random"
        ):
            self._add(path, "generator")
        elif isinstance(value, np.ufunc):
            self._libraries.add("numpy")
            self._add(path, f"ufunc {value.__name__}")
        elif _is_builtin(value):
            self._builtin(path, value)
        else:
            self._object(path, value)

    def _sequence(self, path: str, value: Any) -> None:
        kind = type(value).__name__
        if len(value) > 16 and all(type(one) in (int, float, bool, str) for one in value):
            text = repr([_no_path(v) if isinstance(v, str) else v for v in value])
            self._add(path, f"{kind} of {len(value)} {_digest(text.encode('utf-8', 'replace'))}")
            return
        self._add(path, f"{kind} of {len(value)}")
        for k, one in enumerate(value):
            self.value(f"{path}[{k}]", one)

    def _set(self, path: str, value: Any) -> None:
        parts = []
        for one in value:
            inner = Walk(self._tolerant)
            inner._libraries = self._libraries
            inner.fields = []
            inner.value("", one)
            inner._settle()
            parts.append(repr(inner.fields))
            self.random += inner.random
        self._add(path, f"{type(value).__name__} {sorted(parts)}")

    def _mapping(self, path: str, value: Any) -> None:
        self._add(path, f"{type(value).__name__} of {len(value)}")
        if isinstance(value, collections.defaultdict):
            self.value(f"{path}.default", value.default_factory)
        if len(value) > 64 and all(
            type(k) in (str, int) and type(v) in (int, float, bool, str) for k, v in value.items()
        ):
            self._add(f"{path}[…]", _digest(repr(list(value.items())).encode("utf-8", "replace")))
            return
        for k, (key, one) in enumerate(list(value.items())):
            if type(key) in (str, int, bool, float, type(None)):
                self.value(f"{path}[{key!r}]", one)
            else:
                self.value(f"{path}.key{k}", key)
                self.value(f"{path}.value{k}", one)

    def _object(self, path: str, value: Any) -> None:
        kind = type(value)
        if isinstance(value, (io.IOBase, types.GeneratorType, types.FrameType)) or (
            inspect.isasyncgen(value) or inspect.iscoroutine(value)
        ):
            self._blind(path, value, "what it holds is not in its attributes")
            return
        if kind.__module__.startswith("PIL.") and hasattr(value, "tobytes"):
            self._add(path, f"image {value.mode} {value.size} {_digest(value.tobytes())}")
            return
        if isinstance(value, torch.jit.ScriptModule):  # pyright: ignore
            self._add(path, f"script {_digest(str(value.code).encode())}")
            self.value(f"{path}.state", dict(value.state_dict()))
            return
        if isinstance(value, Dataset):
            self._dataset(path, value)
            return
        if dataclasses.is_dataclass(value) or hasattr(value, "__dict__") or _slots(kind):
            if (
                library_of(kind.__module__)
                and not _attributes(value)
                and (
                    not kind.__module__.startswith(("torch", "albumentations"))
                    and not callable(value)
                    and kind.__flags__ & (1 << 9) == 0
                )
            ):
                self._blind(path, value, "what it holds is not in its attributes")
                return
            self._owner(path, value, {"__call__", "forward", "__getitem__", "__iter__"})
            return
        self._blind(path, value, "what it holds is not in its attributes")

    # Code.

    def _function(self, path: str, function: types.FunctionType) -> None:
        library = library_of(function.__module__ or "")
        if library and not _is_own_code(function):
            self._libraries.add(library)
            self._add(path, f"{library}: {function.__module__}.{function.__qualname__}")
            for name in ("__closure__",):
                for cell in getattr(function, name) or ():
                    self._cell(f"{path}.closure", cell)
            return
        wrapped = getattr(function, "__wrapped__", None)
        self._code(path, function.__code__, function.__globals__, function)
        if wrapped is not None:
            self.value(f"{path}.wrapped", wrapped)
        if function.__defaults__:
            self.value(f"{path}.defaults", function.__defaults__)
        if function.__kwdefaults__:
            self.value(f"{path}.kwdefaults", function.__kwdefaults__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            if name != "__class__":
                self._cell(f"{path}.{name}", cell)
        for name, one in sorted(vars(function).items()):
            if name != "__wrapped__":
                self.value(f"{path}.{name}", one)

    def _cell(self, path: str, cell: Any) -> None:
        try:
            content = cell.cell_contents
        except ValueError:
            self._add(path, "(empty)")
            return
        self.value(path, content)

    def _code(
        self,
        path: str,
        code: types.CodeType,
        scope: dict[str, Any],
        function: Optional[types.FunctionType],
    ) -> None:
        text, nested, chains = _read_code(code)
        count = code.co_argcount + code.co_kwonlyargcount
        signature = (
            code.co_varnames[:count],
            code.co_argcount,
            code.co_posonlyargcount,
            code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR),
        )
        self._add(path, f"code {signature} {_digest(text.encode('utf-8', 'replace'))}")
        self._names.update(code.co_names)
        if not path.endswith(".fset"):
            self._stored.update(_written_attributes(code))
        for k, constant in enumerate(nested):
            self._code(f"{path}.<{constant.co_name}{k}>", constant, scope, function)
        for chain in chains:
            self._chain(path, chain, scope, function)

    def _chain(
        self,
        path: str,
        chain: tuple[str, ...],
        scope: dict[str, Any],
        function: Optional[types.FunctionType],
    ) -> None:
        """A global name in code, and the attributes read of it while it is a module."""
        name = chain[0]
        builtins = scope.get("__builtins__", {})
        builtins = vars(builtins) if isinstance(builtins, types.ModuleType) else builtins
        if name in scope:
            target = scope[name]
        elif name in builtins:
            if name in _REFLECTION and name != "hasattr":
                self._reflects = True
            return
        elif name.startswith("import "):
            try:
                package = scope.get("__package__") or None
                target = importlib.import_module(name[len("import ") :], package)
            except Exception as e:
                self._blind(f"{path}: {name}", chain, f"it cannot be imported: {e}")
                return
        else:
            self._add(f"{path}→{name}", "(not defined)")
            return
        where = name.replace("import ", "")
        for attribute in chain[1:]:
            if not isinstance(target, types.ModuleType):
                break
            if (target.__name__, attribute) in _IMPURE:
                self._blind(
                    f"{path}: {where}.{attribute}", target, "its value is the environment's"
                )
            if (target.__name__, attribute) in randomness.UNSEEN:
                self.random.append((path, f"{target.__name__}.{attribute}"))
            if not hasattr(target, attribute):
                try:
                    importlib.import_module(f"{target.__name__}.{attribute}")
                except ImportError:
                    break
            target = getattr(target, attribute)
            where = f"{where}.{attribute}"
        owner = getattr(target, "__module__", None)
        if (owner, getattr(target, "__name__", "")) in randomness.UNSEEN:
            self.random.append((path, f"{owner}.{target.__name__}"))
        self._reference(f"global {where}", target)

    def _reference(self, path: str, target: Any) -> None:
        if self._globals.get(path) == id(target):
            return
        self._globals[path] = id(target)
        self._kept.append(target)
        self.value(path, target)

    def _builtin(self, path: str, value: Any) -> None:
        owner = getattr(value, "__module__", None) or getattr(
            type(getattr(value, "__self__", None)), "__module__", ""
        )
        library = library_of(str(owner)) or str(owner)
        if library:
            self._libraries.add(library)
        bound = getattr(value, "__self__", None)
        named = isinstance(bound, (types.ModuleType, type)) or randomness.is_ordinary(bound)
        if bound is not None and not named:
            self.value(f"{path}.self", bound)
        self._add(path, f"builtin {owner}.{getattr(value, '__qualname__', type(value).__name__)}")

    def _module(self, path: str, module: types.ModuleType) -> None:
        library = library_of(module.__name__)
        if library:
            self._libraries.add(library)
            self._add(path, f"module {module.__name__}")
            return
        self._add(path, f"module {module.__name__}")
        self._modules[module.__name__] = module

    def _module_names(self, name: str, done: dict[tuple[int, str], bool]) -> None:
        module = self._modules[name]
        for attribute, one in sorted(vars(module).items()):
            key = (id(module), attribute)
            if key in done or _is_dunder(attribute) or attribute not in self._names:
                continue
            done[key] = True
            self.value(f"{name}.{attribute}", one)

    def _class(self, path: str, kind: type) -> None:
        library = library_of(kind.__module__)
        self._add(path, "class " + " ".join(_class_name(base) for base in kind.__mro__[:-1]))
        if library:
            self._libraries.add(library)
            return
        self._owners.append((path, kind, {"__call__", "__init__", "__new__", "forward"}, False))


@functools.cache
def library_of(module: str) -> str:
    """The top-level package of code that a version stands for, "" for a user's own code."""
    top = module.partition(".")[0]
    if top in ("__main__", "__mp_main__", ""):
        return ""
    if top == "builtins" or top in sys.builtin_module_names:
        return "builtins"
    if top == "training_day":
        return top
    found = sys.modules.get(module) or sys.modules.get(top)
    file = getattr(found, "__file__", None)
    if file is None:
        spec = getattr(found, "__spec__", None)
        file = getattr(spec, "origin", None)
        if file in (None, "built-in", "frozen"):
            return top if top in getattr(sys, "stdlib_module_names", ()) else ""
    real = os.path.realpath(file)
    if any(part in real or part in file for part in _SITE):
        if any(one.is_own_code for one in _direct_installs(top, file)):
            return ""
        return top if version_of(top) else ""
    if real.startswith(_STDLIB):
        return "builtins"
    return ""


def version_of(top: str) -> str:
    """A library's version, "" when it has none."""
    if top in ("builtins", ""):
        return "{}.{}".format(*sys.version_info[:2])
    found = getattr(sys.modules.get(top), "__version__", None)
    if found is None:
        try:
            found = importlib.metadata.version(top)
        except importlib.metadata.PackageNotFoundError:
            found = "{}.{}".format(*sys.version_info[:2]) if top in _stdlib_names() else ""
    file = getattr(sys.modules.get(top), "__file__", None)
    noted = file and found and top != "training_day"  # Which makes nothing of a sample.
    contents = [one.content for one in _direct_installs(top, file)] if noted else []
    return " ".join([str(found), *contents])


@dataclasses.dataclass(frozen=True)
class _DirectInstall:
    """A distribution of a directory, a file or a repository and of no index: what is in it changes
    while its version stays."""

    is_own_code: bool
    content: str


@functools.cache
def _direct_installs(top: str, file: str) -> list[_DirectInstall]:
    """Those that a package belongs to which has this file, as PEP 610 has installers write down."""
    site = next((file[: file.index(part) + len(part)] for part in _SITE if part in file), "")
    found = []
    for note in glob.glob(f"{glob.escape(site)}*.dist-info/direct_url.json") if site else ():
        info = os.path.dirname(note)
        try:
            # Distributors' own installs note where they were built, and change their versions.
            if _text_of(info, "INSTALLER", "").strip() in ("conda", "debian"):
                continue
            rows = [row for row in csv.reader(io.StringIO(_text_of(info, "RECORD"))) if row]
            of_directory = "dir_info" in json.loads(_text_of(info, "direct_url.json"))
        except (OSError, ValueError, csv.Error):
            continue
        package = (f"{top}/", f"{top}.")
        rows = [
            row
            for row in rows
            if row[0].startswith(package) and not row[0].endswith(".pyc")
        ]
        if not rows:
            continue
        compiled = any(row[0].endswith((".so", ".pyd")) for row in rows)
        has_file = any(os.path.join(site, row[0]) == file for row in rows)
        found.append(
            _DirectInstall(
                of_directory and has_file and not compiled and top not in _BUILT_ON,
                _digest(repr(sorted(rows)).encode("utf-8", "replace")),
            )
        )
    return found


def _text_of(directory: str, name: str, default: Optional[str] = None) -> str:
    try:
        return pathlib.Path(directory, name).read_text("utf-8")
    except FileNotFoundError:
        if default is None:
            raise
        return default


def _stdlib_names() -> Any:
    return getattr(sys, "stdlib_module_names", ())


def is_source(name: str, value: Any, length: int) -> bool:
    """Whether an attribute of a data set says which samples there are."""
    if name in SOURCE_NAMES:
        return True
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") or callable(value):
        return False
    if name == "tensors" and isinstance(value, (tuple, list)):
        return True
    try:
        return length > 0 and len(value) == length
    except (TypeError, ValueError):
        return False


def _length(raw: Any) -> int:
    try:
        return len(raw)
    except (TypeError, NotImplementedError):
        return -1


def _is_dataset_like(value: Any) -> bool:
    kind = type(value)
    return (
        any("__getitem__" in vars(base) for base in kind.__mro__)
        and any("__len__" in vars(base) for base in kind.__mro__)
        and kind.__module__ not in ("builtins", "collections")
        and not isinstance(value, (np.ndarray, torch.Tensor, torch.nn.Module))
    )


def _attributes(value: Any) -> dict[str, Any]:
    found = dict(vars(value)) if hasattr(value, "__dict__") else {}
    for name in _slots(type(value)):
        if hasattr(value, name):
            found[name] = getattr(value, name)
    if isinstance(value, torch.nn.Module):
        found = {
            k: v
            for k, v in found.items()
            if not k.endswith("_hooks")
            and k not in ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
            and not k.startswith(("_forward_", "_backward_", "_state_dict", "_load_state"))
            and k != "_is_full_backward_hook"
        }
        found["parameters"] = dict(value._parameters)
        found["buffers"] = dict(value._buffers)
        found.update(value._modules)
        # Code reads them as attributes of the module.
        found.update(value._buffers)
        found.update(value._parameters)
    return found


def _slots(kind: type) -> list[str]:
    names: list[str] = []
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _is_plain_sequence(value: Any) -> bool:
    return type(value) in (tuple, list) or isinstance(value, tuple)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_builtin(value: Any) -> bool:
    return isinstance(
        value,
        (
            types.BuiltinFunctionType,
            types.MethodDescriptorType,
            types.WrapperDescriptorType,
            types.MethodWrapperType,
            types.GetSetDescriptorType,
            types.MemberDescriptorType,
            types.ClassMethodDescriptorType,
        ),
    ) or (callable(value) and not hasattr(value, "__dict__") and not _slots(type(value)))


def _is_generator(value: Any) -> bool:
    kinds = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, torch.Generator)
    return isinstance(value, kinds) or type(value).__module__ == "random"


def _is_own_code(function: types.FunctionType) -> bool:
    return not library_of(function.__module__ or "")


def _unwrapped(value: Any) -> Any:
    return value.__func__ if isinstance(value, (staticmethod, classmethod)) else value


def _class_name(kind: type) -> str:
    module = kind.__module__.replace("__mp_main__", "__main__")
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def _digest(content: Union[bytes, memoryview]) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _is_path(value: Any) -> bool:
    if isinstance(value, bytes):
        value = os.fsdecode(value)
    return (
        isinstance(value, str)
        and len(value) < 4096
        and value.startswith(("/", "~/", "./", "../", "file://"))
        and "\n" not in value
        and len(value) > 1
    )


def _no_path(value: Any) -> str:
    if not _is_path(value):
        return value if isinstance(value, str) else repr(value)
    return os.path.basename(os.fsdecode(value) if isinstance(value, bytes) else value)


_LOAD_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME"}
_LOAD_ATTR = {"LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"}
_IGNORED = {"CACHE", "RESUME", "NOP", "EXTENDED_ARG", "PRECALL", "COPY_FREE_VARS", "MAKE_CELL"}


def _read_code(
    code: types.CodeType,
) -> tuple[str, list[types.CodeType], list[tuple[str, ...]]]:
    """Bytecode as text without lines and files, the code inside it, and the names it looks up with
    the attributes that follow each."""
    lines: list[str] = []
    nested: list[types.CodeType] = []
    chains: list[tuple[str, ...]] = []
    labels: dict[int, int] = {}
    instructions = [i for i in dis.get_instructions(code) if i.opname not in _IGNORED]
    for k, one in enumerate(instructions):
        labels[one.offset] = k
    offsets = sorted(labels)
    current: Optional[list[str]] = None
    aliases: dict[str, str] = {}
    previous: Optional[str] = None
    for one in instructions:
        name, argument = one.opname, one.argval
        if name in _LOAD_GLOBAL:
            _end(chains, current)
            current = [argument]
        elif name == "IMPORT_NAME":
            _end(chains, current)
            current = [f"import {argument}"]
        elif name == "IMPORT_FROM" and current is not None:
            chains.append((*current[:1], argument))
        elif name in _LOAD_ATTR and current is not None:
            current.append(argument)
        elif name.startswith("STORE_") and previous == "IMPORT_NAME" and current is not None:
            aliases[str(argument)] = current[0]
            _end(chains, current)
            current = None
        elif name.startswith("LOAD_") and isinstance(argument, str) and argument in aliases:
            _end(chains, current)
            current = [aliases[argument]]
        elif name not in ("PUSH_NULL", "POP_TOP"):
            _end(chains, current)
            current = None
        previous = name
        if one.opcode in dis.hasconst or name.startswith("LOAD_CONST"):
            if isinstance(argument, types.CodeType):
                nested.append(argument)
                lines.append(f"{name} code{len(nested)}")
            else:
                lines.append(f"{name} {_constant(argument)}")
        elif one.opcode in dis.hasjrel or one.opcode in dis.hasjabs:
            target = argument if isinstance(argument, int) else 0
            after = next((o for o in offsets if o >= target), -1)
            lines.append(f"{name} →{labels.get(after, -1)}")
        elif one.opcode in dis.haslocal:
            # The place of a local variable, not its name.
            lines.append(f"{name} {one.arg}")
        else:
            lines.append(f"{name} {argument!r}" if argument is not None else name)
    _end(chains, current)
    table = getattr(code, "co_exceptiontable", b"")
    lines.append(f"handlers {len(table)}")
    return "\n".join(lines), nested, list(dict.fromkeys(chains))


def _end(chains: list[tuple[str, ...]], current: Optional[list[str]]) -> None:
    if current is not None:
        chains.append(tuple(current))


def _constant(value: Any) -> str:
    if isinstance(value, frozenset):
        return f"frozenset {sorted(_constant(one) for one in value)}"
    if isinstance(value, tuple):
        return f"({', '.join(_constant(one) for one in value)})"
    return f"{type(value).__name__} {value!r}"


def _written_attributes(code: types.CodeType) -> list[str]:
    if code.co_name in ("__init__", "__post_init__", "__new__", "__setstate__"):
        return []
    return [i.argval for i in dis.get_instructions(code) if i.opname == "STORE_ATTR"]
