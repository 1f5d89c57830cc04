"""Batches as `default_collate` makes them, from collated memory: one copy a field."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Optional

import numpy as np
import torch
from torch.utils.data import get_worker_info
from torch.utils.data._utils.collate import default_collate, default_collate_fn_map

from training_day import record, structure
from training_day.client import COLLATED, RECORDS, Batch
from training_day.record import FieldSpec, Layout
from training_day.structure import Leaf, Plan

__all__ = ["NO_SLOT", "CollatedBatch", "Collate", "ForDefaultCollate"]

_TORCH = structure._TORCH
Make = Callable[[int, torch.dtype, tuple[int, ...]], torch.Tensor]
"""Gives an output tensor for the field at a place."""


class Guard:
    """Does something when the last tensor over some memory has been collected."""

    def __init__(self, when_free: Callable[[], None]) -> None:
        self._when_free = when_free
        self._pid = os.getpid()

    def disarm(self) -> None:
        """Nothing is done: nobody has been given such a tensor."""
        self._pid = -1

    def __del__(self) -> None:
        if self._pid == os.getpid():
            self._when_free()


class _Guarded(np.ndarray):
    """What a tensor keeps alive, and sub-views and the graph of autograd with it."""

    guard: Guard


# What numpy does not know is made over the bits of what it does.
_NUMPY = {dtype: np.dtype(structure._NUMPY.get(name, np.int16)) for name, dtype in _TORCH.items()}


def guarded(
    memory: Any, start: int, guard: Optional[Guard], dtype: torch.dtype, shape: tuple[int, ...]
) -> torch.Tensor:
    """A tensor over the bytes from `start` on. It, and anything made over it, keeps the guard; or,
    without one, the memory."""
    array = _Guarded(shape, _NUMPY[dtype], memory, start)
    if guard is not None:
        array.guard = guard
    tensor = torch.from_numpy(array)
    return tensor if tensor.dtype is dtype else tensor.view(dtype)


NO_SLOT = (
    "no slot of shared memory was free. Let go of batches earlier, or raise"
    " lane.slots.maxBytesPerConnection"
)
_UNLIKE = (
    "the samples differ in more than their values, or have fields that are no tensors, arrays,"
    " Python numbers or texts"
)


class _Unlike(Exception):
    """The samples differ in more than their values, or are none that torch collates."""


class CollatedBatch(Sequence):
    """A batch in collated or ragged memory. It is collated from there; taken as a sequence, it
    holds the samples, each with memory of its own."""

    def __init__(self, batch: Batch) -> None:
        self._batch: Optional[Batch] = batch
        self._count = batch.count
        self._samples: Optional[list[Any]] = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, position: Any) -> Any:
        return self._all()[position]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all())

    def __reduce__(self) -> Any:
        return list, (list(self._all()),)

    def __del__(self) -> None:
        self.release()

    def release(self) -> None:
        batch, self._batch = self.__dict__.get("_batch"), None
        if batch is not None:
            batch.release()

    def _all(self) -> list[Any]:
        if self._samples is None:
            batch = self._batch
            assert batch is not None
            self._samples = [sample_at(batch, position) for position in range(batch.count)]
            self.release()
        return self._samples

    def collate(self, make: Optional[Make] = None) -> Any:
        """What `default_collate` gives of the samples."""
        batch = self._batch
        # Who taught default_collate something of his own gets that.
        if batch is not None and default_collate_fn_map == _KNOWN:
            try:
                fields = _Fields(batch)
                result = fields.collate(make or _output)
            except _Unlike:
                pass
            else:
                if make is None:
                    self.release()
                return result
        return default_collate(self._all())

    def views(self, release: Callable[[Batch], None]) -> Any:
        """The batch over the memory itself, not copied. `release` is called with it when the last
        tensor over it has been collected.

        Raises LookupError, saying why, if the batch can only be had as a copy.
        """
        batch = self._batch
        if batch is None or batch.slot is None:
            raise LookupError(NO_SLOT)
        guard = Guard(lambda: release(batch))
        try:
            result = _Fields(batch).views(guard)
        except BaseException as e:
            # The batch stays ours. The traceback may keep the guard for long, and what it guards.
            guard.disarm()
            if isinstance(e, _Unlike):
                raise LookupError(_UNLIKE) from None
            raise
        self._batch = None
        return result

    def take(self) -> Optional[Batch]:
        """The batch itself, from now on the caller's to release."""
        batch, self._batch = self._batch, None
        return batch


class ForDefaultCollate:
    """A batch on its way to `default_collate`, and to nobody else: it is collated from the slot.
    What stands for its first sample leads there, by the table in which torch lets types have their
    own way to be collated."""

    def __init__(self, batch: CollatedBatch) -> None:
        self._batch = batch

    def __getitem__(self, position: int) -> ForDefaultCollate:
        return self

    @staticmethod
    def collated(batch: ForDefaultCollate, *, collate_fn_map: Any = None) -> Any:
        return batch._batch.collate()


default_collate_fn_map[ForDefaultCollate] = ForDefaultCollate.collated
_KNOWN = dict(default_collate_fn_map)


class Collate:
    """`collate_fn=ds.collate`."""

    def __call__(self, batch: Any) -> Any:
        if isinstance(batch, CollatedBatch):
            return batch.collate()
        return default_collate(batch)


def sample_at(batch: Batch, position: int) -> Any:
    """One sample of a batch of whatever shape, with memory of its own."""
    if position in batch.records:
        return structure.decode(batch.records[position])
    reply = batch.reply
    assert reply is not None
    if batch.shape == RECORDS:
        offset, length = reply.records[position]
        return structure.decode(batch.memory, offset, length)
    layout = reply.layout
    assert layout is not None
    specs, offsets = _places(batch, layout, position)
    text = None
    if layout.fields and layout.fields[-1].name == structure.STRUCTURE:
        at = offsets[-1]
        text = bytes(batch.memory[at : at + specs[-1].length])
    plan = structure.plan_of(layout, text)
    if plan.specs is not None:
        raise record.MalformedRecordError(0, "shape", "packed", "records")
    values = [
        leaf.read(spec, batch.memory, offset, True)
        for leaf, spec, offset in zip(plan.leaves, specs, offsets)
    ]
    return plan.build(values)


def _places(batch: Batch, layout: Layout, position: int) -> tuple[list[FieldSpec], list[int]]:
    reply = batch.reply
    assert reply is not None
    if batch.shape == COLLATED:
        starts, _ = record.collated_layout(layout, batch.count)
        return list(layout.fields), [
            start + position * spec.length for start, spec in zip(starts, layout.fields)
        ]
    specs, offsets = [], []
    for one, spec in zip(reply.ragged, layout.fields):
        length = int(one.ends[position + 1] - one.ends[position])
        shape = tuple(int(d) for d in one.shapes[position]) if one.shapes.shape[1] else ()
        if not spec.dtype.is_tensor:
            shape = (length,)
        specs.append(FieldSpec(spec.name, spec.dtype, shape))
        offsets.append(int(one.offset + one.ends[position]))
    return specs, offsets


class _Fields:
    """The fields of a batch, each in one piece of memory."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        reply = batch.reply
        if reply is None or reply.layout is None or batch.shape == RECORDS:
            raise _Unlike
        self._layout = reply.layout
        self._memory = batch.memory
        if batch.records:
            self._fill_holes()
        if batch.shape == COLLATED:
            self._starts, _ = record.collated_layout(self._layout, batch.count)
        else:
            self._starts = [one.offset for one in reply.ragged]
        self.plan = self._common_plan()

    def _fill_holes(self) -> None:
        batch, layout = self._batch, self._layout
        if batch.shape != COLLATED:
            raise _Unlike
        starts, _ = record.collated_layout(layout, batch.count)
        memory = memoryview(self._memory)
        for position, content in batch.records.items():
            own = record.parse(content, len(content))
            if own.schema_hash != layout.schema_hash:
                raise _Unlike
            for start, spec, offset in zip(starts, layout.fields, own.offsets):
                at = start + position * spec.length
                memory[at : at + spec.length] = memoryview(content)[offset : offset + spec.length]

    def _common_plan(self) -> Plan:
        layout, count = self._layout, self._batch.count
        if not layout.fields or layout.fields[-1].name != structure.STRUCTURE:
            plan = structure.plan_of(layout, None)
        else:
            k = len(layout.fields) - 1
            length = self._equal_length(k)
            start = self._starts[k]
            texts = bytes(self._memory[start : start + count * length])
            if texts[length:] != texts[: (count - 1) * length]:
                raise _Unlike
            plan = structure.plan_of(layout, texts[:length])
        if plan.specs is not None:
            raise _Unlike
        return plan

    def _equal_length(self, k: int) -> int:
        if self._batch.shape == COLLATED:
            return self._layout.fields[k].length
        assert self._batch.reply is not None
        lengths = np.diff(self._batch.reply.ragged[k].ends)
        if (lengths != lengths[0]).any():
            raise _Unlike
        return int(lengths[0])

    def _shape(self, k: int) -> tuple[int, ...]:
        """The shape that the field has in every sample."""
        if self._batch.shape == COLLATED:
            return self._layout.fields[k].shape
        assert self._batch.reply is not None
        shapes = self._batch.reply.ragged[k].shapes
        if shapes.shape[1] and (shapes != shapes[0]).any():
            raise _Unlike
        return tuple(int(d) for d in shapes[0]) if shapes.shape[1] else ()

    def _whole(self, k: int, guard: Optional[Guard] = None) -> torch.Tensor:
        """All samples' field in one tensor, over the memory."""
        shape = (self._batch.count, *self._shape(k))
        dtype = _TORCH[self._layout.fields[k].dtype.name]
        if 0 in shape:
            return torch.empty(shape, dtype=dtype)
        return guarded(self._memory, self._starts[k], guard, dtype, shape)

    def _texts(self, leaf: Leaf) -> list[Any]:
        out = []
        for position in range(self._batch.count):
            specs, offsets = _places(self._batch, self._layout, position)
            out.append(leaf.read(specs[leaf.k], self._memory, offsets[leaf.k], True))
        return out

    def collate(self, make: Make) -> Any:
        def tensor(k: int) -> torch.Tensor:
            whole = self._whole(k)
            out = make(k, whole.dtype, tuple(whole.shape))
            return out.copy_(whole)

        return self._build(self.plan.node, iter(self.plan.leaves), tensor)

    def views(self, guard: Guard) -> Any:
        return self._build(
            self.plan.node, iter(self.plan.leaves), lambda k: self._whole(k, guard)
        )

    def _build(
        self,
        node: Any,
        leaves: Iterator[Leaf],
        tensor: Callable[[int], torch.Tensor],
        zipped: bool = False,
    ) -> Any:
        if isinstance(node, str):
            if node not in ("T", "N", "b", "i", "f", "s", "y"):
                raise _Unlike
            leaf = next(leaves)
            if node not in ("s", "y"):
                return tensor(leaf.k)
            # default_collate leaves texts as zip() gave them, where it came from a sequence.
            return tuple(self._texts(leaf)) if zipped else self._texts(leaf)
        head, rest = node[0], node[1:]
        if head in ("li", "ti"):
            columns = tensor(next(leaves).k)
            return [column.contiguous() for column in columns.clone().unbind(1)]
        if head in ("l", "t"):
            return [self._build(one, leaves, tensor, True) for one in rest]
        if head in ("d", "o"):
            kind: Any = dict if head == "d" else collections.OrderedDict
            return kind(
                (structure._key(key), self._build(one, leaves, tensor)) for key, one in rest
            )
        if head == "nt":
            cls: Any = structure._by_name[rest[0]].cls if rest[0] in structure._by_name else None
            if cls is None:
                raise _Unlike
            return cls(*(self._build(one, leaves, tensor, True) for one in rest[1:]))
        raise _Unlike


def _output(k: int, dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
    """As `default_collate` takes it: in a worker, memory that the main process will share."""
    if get_worker_info() is None:
        return torch.empty(shape, dtype=dtype)
    one = torch.empty(0, dtype=dtype)
    elements = int(np.prod(shape, dtype=np.int64))
    storage_of = getattr(one, "_typed_storage", None) or one.storage
    storage = storage_of()._new_shared(elements)
    return one.new(storage).resize_(*shape)
