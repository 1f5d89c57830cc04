"""The cache around any map-style Dataset."""

from __future__ import annotations

import functools
import operator
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

from torch.utils.data import ConcatDataset, Dataset, IterableDataset, Subset
from torch.utils.data._utils.collate import default_collate
from torch.utils.data._utils.fetch import _MapDatasetFetcher

from training_day import fingerprints, randomness, shared, structure
from training_day.attachment import Attachment, Link, attachment, own_attachment
from training_day.augment import Augment
from training_day.client import COLLATED, RAGGED, RECORDS, Batch, NotCollatable, Samples, Spec
from training_day.collate import Collate, CollatedBatch, ForDefaultCollate, sample_at
from training_day.cut import Cut, cut_random
from training_day.errors import FingerprintError, RandomTransformError
from training_day.fingerprints import Fingerprint
from training_day.lane.access import Where
from training_day.shared import Shared
from training_day.source import source_digest
from training_day.stamps import Stamps
from training_day.structure import Marked, Packing
from training_day.turns import turns_of
from training_day.variants import Variants
from training_day.warming import WarmUp
from training_day.work import TimedLoader

__all__ = ["CacheStats", "CachedDataset", "concat", "subset"]

_MAX_VARIANTS = 65_536
_VALIDATIONS = ("", "checksum", "stamp", "none")
_LOADS_TO_BE_SURE = 3


@dataclass(frozen=True)
class CacheStats:
    """What happened so far in all processes that use the data set."""

    hits: int
    misses: int
    origin_loads: int
    waited_for_others: int
    fills_taken: int
    fills_dropped: int
    slot_batches: int
    inline_batches: int
    origin_batches: int
    reconnects: int
    bytes_read: int
    load_nanos: int
    link: Link = Link()
    """How the process that asks reaches the cache now."""

    @property
    def hit_rate(self) -> float:
        """Hits among samples read; 0 when none was."""
        read = self.hits + self.misses
        return self.hits / read if read else 0.0

    @property
    def load_seconds(self) -> float:
        """Time spent loading from the origin, all processes together."""
        return self.load_nanos / 1e9

    def __str__(self) -> str:
        return (
            f"{self.hits + self.misses:,} samples read, {self.hit_rate:.1%} from the cache"
            f" ({self.bytes_read / 1e6:,.1f} MB); {self.origin_loads:,} loaded in"
            f" {self.load_seconds:.1f} s, {self.fills_taken:,} of them kept"
            + (f"; {self.link}" if self.link.home else "")
        )


class CachedDataset(Dataset):
    """A Dataset whose samples are kept in the cache of the hosts that train on it.

    It is used like the one it wraps: with any DataLoader, sampler, number of workers and start
    method. Samples come back with the types they went in with, in memory of their own.

    What to read
        raw: a map-style Dataset, or a sequence.
        name: what the samples are kept under; jobs that use the same name share them.
        source: says which samples these are, where the data set itself does not.
        pipeline_tag: stands for the preprocessing in place of its fingerprint; change it whenever
            the preprocessing changes.
        types: classes that samples hold, as by `register`; they reach spawned workers this way.

    What is random
        cut: "auto" caches up to the first random step of the transform's Compose and runs the rest
            after every read.
        augment: a function of a sample, or of a sample and a `numpy.random.Generator`, that runs
            after every read.
        seed: of the augmentation, once `set_epoch` has been called. Default 0.
        frozen: True keeps what a random transform gave the first time.
        variants: with `frozen`, how many outcomes of each sample are kept. Every so many epochs a
            sample is read in each of them once; `set_epoch` says which epoch it is.
        reuse: with `frozen`, in how many epochs an outcome is read before a new one takes its
            place. Default: for good.

    Where from
        address: of the node; default: TRAINING_DAY_ADDRESS, else the host's socket.
            While it is away, other nodes of its grid stand in, over TCP.
        token: what is shown to nodes reached over TCP; default: TRAINING_DAY_TOKEN.
        tls_trust: a PEM file; nodes reached over TCP must speak TLS 1.3 and show a certificate that
            one of the file has signed. Default: TRAINING_DAY_TLS_TRUST, else there is no TLS.
        tls_certificate, tls_key: PEM files: the certificate that is shown to the node, with those
            that signed it, and its key, PKCS #8. Where nodes have lane.tls.clientCertificates.
            Default: TRAINING_DAY_TLS_CERTIFICATE and TRAINING_DAY_TLS_KEY. Files that are renewed
            count for new connections; while they hold nothing that can be used, what they held
            before does, with a warning.
        validation: "checksum", "stamp" or "none"; default: as the data set is kept.
        stamp: a function of an index that says what its source looks like now: a number, text or
            bytes (an etag, a checksum), or an `os.stat_result`, of which modification time and size
            count. It is asked with every read; a sample made of a source that looked otherwise is
            loaded anew. "files" looks at the files that `raw` lists in `samples`, as an ImageFolder
            does. Makes validation "stamp".

    Raises RandomTransformError, FingerprintError, SourceMismatch and others of `errors`, each with
    what to do about it. Without a node, samples come from `raw`, with one warning.
    """

    def __init__(
        self,
        raw: Any,
        name: str,
        *,
        source: Optional[str] = None,
        pipeline_tag: Optional[str] = None,
        types: Iterable[type] = (),
        cut: Optional[str] = None,
        augment: Optional[Callable[..., Any]] = None,
        seed: int = 0,
        frozen: bool = False,
        variants: int = 1,
        reuse: Optional[int] = None,
        address: Optional[str] = None,
        token: Optional[str] = None,
        tls_trust: Union[str, os.PathLike[str], None] = None,
        tls_certificate: Union[str, os.PathLike[str], None] = None,
        tls_key: Union[str, os.PathLike[str], None] = None,
        validation: str = "",
        stamp: Union[str, Callable[[int], Any], None] = None,
    ) -> None:
        _check_raw(raw)
        if validation not in _VALIDATIONS:
            raise ValueError(f"validation={validation!r}, allowed: checksum, stamp, none")
        if stamp is not None and validation not in ("", "stamp"):
            raise ValueError(f'stamp= and validation="{validation}" exclude each other: drop one')
        if stamp is None and validation == "stamp":
            raise ValueError('validation="stamp" needs stamp=, what sources look like now')
        if not name or len(name.encode()) > 255:
            raise ValueError(f"name of {len(name.encode())} bytes, allowed: 1 to 255")
        if cut not in (None, "auto"):
            raise ValueError(f'cut={cut!r}, allowed: "auto"')
        if cut and frozen:
            raise ValueError('cut="auto" and frozen=True exclude each other: give one')
        if not 1 <= variants < _MAX_VARIANTS:
            raise ValueError(f"variants={variants}, allowed: 1 to {_MAX_VARIANTS - 1}")
        if variants > 1 and not frozen:
            raise ValueError(f"variants={variants} needs frozen=True: stored variants are frozen")
        self._raw = raw
        self._name = name
        self._length = len(raw)
        self._types = tuple(types)
        for one in self._types:
            structure.register(one)
        self._frozen = frozen
        if reuse is not None and (reuse < 1 or not frozen):
            raise ValueError(f"reuse={reuse}, allowed: 1 and up, with frozen=True")
        self._variants = Variants(variants, reuse, seed)
        self._seed = seed
        self._cut: Optional[Cut] = cut_random(raw) if cut else None
        self._base = self._cut.raw if self._cut else raw
        self._augment = Augment(augment, seed) if augment is not None else None
        walk = fingerprints.walked(self._base, tolerant=pipeline_tag is not None or frozen)
        self._check_random(walk.random)
        if pipeline_tag is not None:
            self._fingerprint_ = fingerprints.tagged(pipeline_tag)
        elif frozen:
            self._fingerprint_ = fingerprints.fingerprint(self._base)
        else:
            self._fingerprint_ = Fingerprint(tuple(walk.fields))
        self._trusted = pipeline_tag is not None or frozen
        settings = [] if pipeline_tag is not None else walk.settings
        self._settings = self._cut.settings(raw, settings) if self._cut and settings else settings
        pipeline = self._fingerprint_.text
        if frozen:
            pipeline += f"\nfrozen variants={variants} seed={seed}"
            pipeline += "" if reuse is None else f" reuse={reuse}"
        digest = source_digest(raw, source, walk)
        self._stamps = Stamps(stamp, raw) if stamp is not None else None
        if stamp is not None:
            validation = "stamp"
        self._spec = Spec(name, pipeline, self._length, digest, validation)
        pems = (tls_trust, tls_certificate, tls_key)
        paths = [os.fspath(pem) if pem is not None else None for pem in pems]
        self._where = Where(address, token, *paths)
        self._others: tuple[str, ...] = ()
        self._shared = Shared()
        self._collating = False
        self._collatable = True
        self._client: Optional[Samples] = None
        self._checked = False
        self._last: Optional[tuple[int, int, Any]] = None
        self._turns = turns_of(raw)
        # What is wrong with the arguments is an error here; in processes made later, nothing is.
        self._begun = False
        self._samples().open()
        self._begun = True

    def _check_random(self, found: list[tuple[str, str]]) -> None:
        if not found or self._frozen:
            return
        what = ", ".join(dict.fromkeys(f"{why} ({path})" for path, why in found))
        raise RandomTransformError(
            f"what {type(self._raw).__qualname__} makes of a sample is random: {what}. Kept, it"
            ' would be the same in every epoch. Give cut="auto" to cache up to the first random'
            " step, or move the random part to augment=fn, which runs after every read;"
            " frozen=True keeps one outcome for good"
        )

    # As a Dataset.

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        try:
            position = operator.index(index)
        except TypeError:
            if isinstance(index, str):
                return self._raw[index]  # A column, of data sets that have them.
            raise TypeError(
                f"a {type(index).__qualname__} is no index of one sample. For a batch give"
                " DataLoader batch_size= or batch_sampler=, which asks for it with __getitems__;"
                " ds.raw[…] goes around the cache"
            ) from None
        started = time.perf_counter_ns()
        sample = self._fetch([self._checked_index(position)])[0]
        self._samples().work.waited(started)
        return sample

    def __getitems__(self, indices: Sequence[Any]) -> Any:
        """One batch in one request."""
        if type(self).__getitem__ is not CachedDataset.__getitem__:
            return [self[index] for index in indices]
        wanted = [self._checked_index(operator.index(index)) for index in indices]
        asking = sys._getframe(1)
        started = time.perf_counter_ns()
        batch: Any
        if self._collating and _is_for_collate(asking):
            batch = self.collated(wanted)
        elif _is_for_default_collate(asking):
            batch = self.collated(wanted)
            batch = ForDefaultCollate(batch) if isinstance(batch, CollatedBatch) else batch
        else:
            batch = self._fetch(wanted)
        self._samples().work.waited(started)
        return batch

    def collated(self, indices: Sequence[int]) -> Any:
        """The samples for `ds.collate`, which are a sequence, and no list."""
        if indices and not self.works_after_reads:
            batch = self._read_collated(indices)
            if batch is not None:
                return CollatedBatch(batch)
        if type(self).__getitem__ is not CachedDataset.__getitem__:
            return [self[index] for index in indices]
        return self._fetch(indices)

    def _checked_index(self, index: int) -> int:
        position = index + self._length if index < 0 else index
        if not 0 <= position < self._length:
            raise IndexError(f"index={index} of {self._length} samples")
        return position

    def __getattr__(self, attribute: str) -> Any:
        # Only for what is not found here: classes, targets and the like are the raw data set's.
        if attribute.startswith("__") or "_raw" not in self.__dict__:
            raise AttributeError(attribute)
        return getattr(self.__dict__["_raw"], attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        # What a subclass has of its own is its own affair.
        if type(self) is CachedDataset and not attribute.startswith("_"):
            there = getattr(self.__dict__.get("_raw"), attribute, value)
            if there is not value and not hasattr(CachedDataset, attribute):
                raise AttributeError(
                    f"{attribute} is the raw data set's, and what is set here would not reach it:"
                    f" set it there first, and wrap it anew: CachedDataset(raw, {self._name!r}, …)"
                )
        super().__setattr__(attribute, value)

    def __getstate__(self) -> dict[str, Any]:
        self._check_unchanged()
        state = dict(self.__dict__)
        # Another process changes nothing, and a copy may hold handles that cannot be pickled.
        state["_settings"] = []
        known = self._client.attachment.others if self._client is not None else ()
        state.update(_client=None, _last=None, _turns=None, _others=known or self._others)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for one in state["_types"]:
            structure.register(one)
        self.__dict__.update(state)
        self._turns = turns_of(self._raw)

    def __repr__(self) -> str:
        return f"CachedDataset({self._raw!r}, name={self._name!r})"

    # What is said about it.

    @property
    def raw(self) -> Any:
        """The data set that is wrapped."""
        return self._raw

    @property
    def name(self) -> str:
        """What the samples are kept under."""
        return self._name

    @property
    def fingerprint(self) -> Fingerprint:
        """The identity of the preprocessing."""
        return self._fingerprint_

    @property
    def collate(self) -> Collate:
        """For `DataLoader(ds, collate_fn=ds.collate)`: `default_collate` with one copy a field."""
        self._collating = True
        return Collate()

    def explain(self, other: Union[CachedDataset, Fingerprint, None] = None) -> str:
        """What went into the fingerprint, field by field; or what differs from another's."""
        theirs = other.fingerprint if isinstance(other, CachedDataset) else other
        return self._fingerprint_.explain(theirs)

    def stats(self) -> CacheStats:
        """What happened so far, workers included."""
        client = self._client
        here = client is not None and client.pid == os.getpid()
        link = client.attachment.link if client is not None and here else Link()
        return CacheStats(**self._shared.totals(), link=link)

    def set_epoch(self, epoch: int) -> None:
        """From now on augmentation is drawn from (seed, epoch, index, variant), in all workers,
        persistent ones too."""
        if epoch < 0:
            raise ValueError(f"epoch={epoch}, allowed: 0 and up")
        self._check_unchanged()
        self._shared.epoch = int(epoch)

    def _check_unchanged(self) -> None:
        """Raises FingerprintError if another pipeline makes the samples than the one whose
        fingerprint they are kept under."""
        for one in self._settings:
            change = one.change()
            if change is not None:
                raise FingerprintError(
                    f"what {self._name} wraps has been changed since: {change}. Samples from before"
                    " would be served, and new ones kept as if they were like them. Wrap it anew:"
                    f" CachedDataset(raw, {self._name!r}, …)"
                )

    # Reading.

    @property
    def works_after_reads(self) -> bool:
        """Whether samples are changed after they have been read."""
        overridden = type(self).__getitem__ is not CachedDataset.__getitem__
        return overridden or self._cut is not None or self._augment is not None

    def read_hits(self, indices: Sequence[int]) -> Optional[CollatedBatch]:
        """The batch if the cache has all of it, None otherwise; loads nothing."""
        batch = self._read_collated(indices, lease=False)
        if batch is None:
            return None
        if not batch.is_whole:
            batch.release()
            return None
        return CollatedBatch(batch)

    def took(self, started: int) -> None:
        """Training waited for a batch since then, on the clock of `time.perf_counter_ns`."""
        self._samples().work.waited(started)

    def timed(self, loader: Any) -> TimedLoader:
        """The loader, with the time measured that training waits for its batches: the metric of the
        trainers' wait seconds. A DataLoader with workers needs it, for nobody else can tell:
        workers do not know whether they are waited for. Without workers it adds the time of
        collating; with a BatchLoader it changes nothing.

            for batch in ds.timed(loader):
        """
        return TimedLoader(loader, self._samples)

    def hits_here(self) -> int:
        """Hits counted in this process."""
        return self._shared.own(shared.HITS)

    def _samples(self) -> Samples:
        client = self._client
        if client is None or client.pid != os.getpid():
            self._check_unchanged()
            where = attachment(self._where, self._others, self._begun)
            where.say = self._says
            client = self._client = Samples(where, self._spec, self._shared)
        return client

    def _own_attachment(self) -> Attachment:
        """A connection that nobody else in the process uses."""
        made = own_attachment(self._where, self._others, self._begun)
        made.say = self._says
        return made

    def _says(self, what: str) -> bool:
        """Whether it is to be said; of how the node is reached, each thing is said once."""
        if what in ("certificates", "beside"):
            return True
        bits = {
            "away": shared.SAID_AWAY,
            "elsewhere": shared.SAID_ELSEWHERE,
            "denied": shared.SAID_DENIED,
        }
        return self._shared.first_to_say(bits.get(what, shared.SAID_LOST))

    def _variants_of(self, epoch: int, indices: Sequence[int]) -> list[int]:
        if len(self._variants) == 1:
            return []
        return [self._variants.choose(epoch, index) for index in indices]

    def _stamps_of(self, epoch: int, indices: Sequence[int]) -> list[int]:
        """Looked at before anything is loaded: a source that changes meanwhile is seen to have."""
        if self._stamps is None and not self._variants.are_replaced:
            return []
        sources = map(self._stamps, indices) if self._stamps else (0 for _ in indices)
        return [self._variants.stamp(epoch, of_source) for of_source in sources]

    def _fetch(self, indices: Sequence[int]) -> list[Any]:
        if not indices:
            return []
        client = self._samples()
        epoch = self._shared.epoch or 0
        if client.open() is None:
            self._shared.count(shared.ORIGIN_BATCHES)
            self._shared.count(shared.MISSES, len(indices))
            self._shared.audit(indices)
            samples = [self._from_origin(index, epoch) for index in indices]
        else:
            batch = client.read(
                indices,
                RECORDS,
                functools.partial(self._load, epoch),
                self._variants_of(epoch, indices),
                self._stamps_of(epoch, indices),
            )
            try:
                samples = [sample_at(batch, position) for position in range(batch.count)]
            finally:
                batch.release()
        return self._finished(samples, indices)

    def _read_collated(self, indices: Sequence[int], lease: bool = True) -> Optional[Batch]:
        """The batch in collated or ragged memory; None if it is to be read as records."""
        client = self._samples()
        if client.open() is None:
            return None
        epoch = self._shared.epoch or 0
        load = functools.partial(self._load, epoch) if lease else None
        variants, stamps = self._variants_of(epoch, indices), self._stamps_of(epoch, indices)
        if self._collatable:
            try:
                return client.read(indices, COLLATED, load, variants, stamps)
            except NotCollatable:
                self._collatable = False
        try:
            return client.read(indices, RAGGED, load, variants, stamps)
        except NotCollatable:
            return None

    # Warming.

    def warm(
        self,
        order: Optional[Iterable[Any]] = None,
        *,
        workers: int = 0,
        all_samples: bool = False,
        samples_per_second: Optional[float] = None,
        bytes_per_second: Optional[float] = None,
        node_timeout: Optional[float] = None,
        max_failures: int = 20,
        progress: bool = False,
        worker_init_fn: Optional[Callable[[int], None]] = None,
        multiprocessing_context: Any = None,
    ) -> WarmUp:
        """Loads the data set into the cache in the background; training may go on meanwhile, and no
        sample is loaded by both. What is there already is passed over, so a warm-up that was
        stopped goes on with the next one. One process a host is enough.

        What is loaded
            order: what the first epoch will read, in that order: indices, a sampler or a batch
                sampler. What it does not name comes behind it, in ascending order, as all does by
                default. A sampler with a generator of its own gives the same order again.
            all_samples: True warms those of all hosts; default: those that this host's nodes own,
                so that all hosts together warm each sample once. With stored variants, those of the
                epoch that is set.

        Who works, how fast
            workers: processes that load. Default 0: a thread of this one, which `frozen` random
                pipelines cannot have, and which loads a sample again when a thread beside it draws
                from a random generator meanwhile: it might have been the transform. No other thread
                loads at the same moment. But what `raw` opens at its first load it opens in this
                process, and workers forked later share such a file's position: give 1 or more where
                that matters.
            worker_init_fn, multiprocessing_context: as of a DataLoader.
            samples_per_second, bytes_per_second: limits of what is loaded. Default: none.

        When it ends
            It has looked at all samples ("complete"), or there is no room for more ("full": 64 in a
            row were not kept), or it is stopped, or it failed.
            node_timeout: seconds to wait at a time while there is no node. Default: for ever.
            max_failures: so many samples in a row that cannot be loaded end it. Default 20.
            progress: True shows a line on the terminal.

        Raises CacheRefusedError if the node refuses the data set.
        """
        return WarmUp(
            self,
            order,
            workers=workers,
            all_samples=all_samples,
            samples_per_second=samples_per_second,
            bytes_per_second=bytes_per_second,
            node_timeout=node_timeout,
            max_failures=max_failures,
            progress=progress,
            worker_init_fn=worker_init_fn,
            multiprocessing_context=multiprocessing_context,
        )

    def _load_beside_training(self, epoch: int, index: int, together: bool) -> Packing:
        """As `_load`, in a thread beside others that may draw from the same generators, whose
        states are left alone."""
        self._check_unchanged()
        sample, drawn = self._surely_loaded(index, beside_training=True)
        if drawn:
            raise RandomTransformError(
                f"whenever sample {index} of {self._name} was loaded, something drew from the"
                f" generator of {' and '.join(drawn)}: its transform is random, or another thread"
                " draws all the time. Kept, a random sample would be the same in every epoch: see"
                " `cut` and `augment`. If it is the other thread, give warm(workers=1)"
            )
        return structure.pack(self._marked(sample), together)

    def _surely_loaded(self, index: int, beside_training: bool = False) -> tuple[Any, list[str]]:
        """A sample, and from which generators something drew whenever it was loaded.

        Others draw, too, and so does a load that failed and was tried again. One load without a
        draw is proof enough, unless it gives something else than one with a draw did: what is
        random may be drawn ahead.
        """
        before: Optional[bytearray] = None
        drawn: list[str] = []
        for _ in range(_LOADS_TO_BE_SURE):
            watch = randomness.RngWatch()
            sample = self._of_base(index, beside_training)
            drew = watch.drawn()
            if drew and not beside_training:
                watch.restore()
            if drawn or drew:
                now = structure.encode(sample)
                if not drew and now == before:
                    return sample, []
                before = now
            elif not drew:
                return self._checked_again(index, sample, beside_training), []
            drawn = drew or drawn
        return sample, drawn

    def _checked_again(self, index: int, sample: Any, beside_training: bool) -> Any:
        """The sample; of the first few of all what a second load gave. Generators that nobody knows
        of show in what comes out. Who gives a tag knows what is in the pipeline."""
        first_to_say = self._shared.first_to_say
        if self._trusted or not any(map(first_to_say, shared.LOADED_TWICE)):
            return sample
        first = structure.encode(sample)  # The next load may use its memory again.
        state = None if beside_training else randomness.RngState()
        again = self._of_base(index, beside_training)
        if state is not None:
            state.restore()
        if first == structure.encode(again):
            return again
        if structure.nearly_same(structure.decode(first), again):
            return again
        raise RandomTransformError(
            f"sample {index} of {self._name} was not the same when it was loaded a second time: it"
            " is random, and kept it would be the same in every epoch. Move the random part to"
            " augment=fn, which runs after every read; frozen=True keeps one outcome. If the"
            ' difference does not matter, as a time of loading does not, give pipeline_tag="…"'
        )

    def _load(self, epoch: int, index: int, together: bool) -> Packing:
        last = self._last
        if together and last is not None and last[:2] == (index, epoch):
            return structure.pack(last[2], True)
        sample = self._marked(self._loaded(index, epoch, True))
        self._last = (index, epoch, sample)
        return structure.pack(sample, together)

    def _loaded(self, index: int, epoch: int, check: bool) -> Any:
        self._check_unchanged()
        if self._frozen:
            outcome = (self._variants.choose(epoch, index), self._variants.outcome(epoch))
            with randomness.kept():
                randomness.seed_all(randomness.key_of(self._seed, index, *outcome))
                return self._of_base(index)
        if not check:
            return self._of_base(index)
        sample, drawn = self._surely_loaded(index)
        if drawn:
            raise RandomTransformError(
                f"loading sample {index} of {self._name} drew from the generator of"
                f" {' and '.join(drawn)}, so it is random, and kept it would be the same in every"
                ' epoch. Give cut="auto" to cache up to the first random step, or move the random'
                " part to augment=fn, which runs after every read; frozen=True keeps one outcome"
            )
        return sample

    def _of_base(self, index: int, beside_training: bool = False) -> Any:
        with self._turns.alone() if beside_training else self._turns.together():
            return self._base[index]

    def _marked(self, sample: Any) -> Any:
        return Marked(sample, self._cut.locate(sample)) if self._cut else sample

    def _from_origin(self, index: int, epoch: int) -> Any:
        """At the origin's own speed: what could not be kept is found out with the first sample."""
        first = not self._checked
        sample = self._loaded(index, epoch, first)
        self._shared.count(shared.ORIGIN_LOADS)
        sample = self._marked(sample)
        if first:
            structure.pack(sample)
            self._checked = True
        if self._augment is not None:
            # It may work in place, and the data set's own tensors must stay as they are.
            sample = structure.decode(structure.encode(sample))
        return sample

    def _finished(self, samples: list[Any], indices: Sequence[int]) -> list[Any]:
        if self._cut is None and self._augment is None:
            return samples
        epoch = self._shared.epoch
        if epoch is None:
            return [
                self._finish(sample, None, index)
                for sample, index in zip(samples, indices)
            ]
        with randomness.kept():
            return [
                self._finish(sample, epoch, index)
                for sample, index in zip(samples, indices)
            ]

    def _finish(self, sample: Any, epoch: Optional[int], index: int) -> Any:
        variant = self._variants.choose(epoch or 0, index)
        if self._cut is not None:
            if epoch is not None:
                randomness.seed_all(randomness.key_of(self._seed, epoch, index, variant))
            sample = self._cut.finish(sample.sample, sample.path)
        if self._augment is not None:
            sample = self._augment(sample, epoch, index, variant)
        return sample


def _is_for_collate(frame: Any) -> bool:
    """Whether it is a DataLoader with `collate_fn=ds.collate` that asks, directly or through a
    Subset: other loaders of the same data set expect a list."""
    for _ in range(4):
        if frame is None:
            return False
        asking = frame.f_locals.get("self")
        if isinstance(getattr(asking, "collate_fn", None), Collate):
            return True
        frame = frame.f_back
    return False


def _is_for_default_collate(frame: Any) -> bool:
    """Whether a DataLoader asks that hands the batch to `default_collate` at once, with nobody in
    between who might keep a sample of it."""
    while frame is not None and frame.f_code in _PASSES_ON:
        frame = frame.f_back
    if frame is None or frame.f_code is not _FETCH:
        return False
    return frame.f_locals["self"].collate_fn is default_collate


def _check_raw(raw: Any) -> None:
    if isinstance(raw, IterableDataset):
        raise TypeError(
            f"{type(raw).__qualname__} is an IterableDataset: its samples have no index to be kept"
            " under, and their order is their identity. Wrap a map-style Dataset, with __getitem__"
            " and __len__, and let the sampler decide the order"
        )
    if isinstance(raw, CachedDataset):
        raise TypeError("the data set is cached already, wrap what it wraps")
    if not hasattr(raw, "__getitem__") or not hasattr(raw, "__len__"):
        raise TypeError(
            f"{type(raw).__qualname__} has no __getitem__ and __len__, give a map-style Dataset"
        )


class _Subset(Subset):
    """A Subset that passes whole batches on, on every torch."""

    def __getitems__(self, indices: Sequence[int]) -> Any:
        return _items(self.dataset, [self.indices[i] for i in indices])

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or "dataset" not in self.__dict__:
            raise AttributeError(attribute)
        return getattr(self.__dict__["dataset"], attribute)


class _Concat(ConcatDataset):
    """A ConcatDataset that passes whole batches on: one request for each of its parts."""

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        places: dict[int, list[tuple[int, int]]] = {}
        for position, index in enumerate(indices):
            index = index + len(self) if index < 0 else index
            part = next(k for k, end in enumerate(self.cumulative_sizes) if index < end)
            start = self.cumulative_sizes[part - 1] if part else 0
            places.setdefault(part, []).append((position, index - start))
        out: list[Any] = [None] * len(indices)
        for part, wanted in places.items():
            got = _items(self.datasets[part], [index for _, index in wanted])
            for (position, _), sample in zip(wanted, got):
                out[position] = sample
        return out


def _items(dataset: Any, indices: Sequence[int]) -> Any:
    if hasattr(dataset, "__getitems__"):
        return dataset.__getitems__(indices)
    return [dataset[index] for index in indices]


_FETCH = _MapDatasetFetcher.fetch.__code__
_PASSES_ON = {
    one.__code__
    for one in (_items, _Subset.__getitems__, getattr(Subset, "__getitems__", None))
    if one is not None
}


def subset(dataset: Dataset, indices: Sequence[int]) -> Subset:
    """`torch.utils.data.Subset`, one request a batch on every torch."""
    return _Subset(dataset, indices)


def concat(datasets: Iterable[Dataset]) -> ConcatDataset:
    """`torch.utils.data.ConcatDataset`, one request a batch and part."""
    return _Concat(datasets)
