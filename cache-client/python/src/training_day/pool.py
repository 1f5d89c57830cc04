"""Worker processes that make whole batches, in memory that the main process shares."""

from __future__ import annotations

import os
import pickle
import queue
import random
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any, Callable, Optional

import numpy as np
import torch
import torch.multiprocessing
from torch._utils import ExceptionWrapper
from torch.utils.data._utils import worker as torch_worker

__all__ = ["Pool", "portable"]

_POLL_SECONDS = 1.0


def _work(
    dataset: Any,
    collate: Callable[[Any], Any],
    tasks: Any,
    results: Any,
    number: int,
    count: int,
    init: Optional[Callable[[int], None]],
) -> None:
    torch.set_num_threads(1)
    parent = os.getppid()
    started = False
    token = None
    while True:
        try:
            task = tasks.get(timeout=5 * _POLL_SECONDS)
        except queue.Empty:
            if os.getppid() != parent:
                return
            continue
        if task is None:
            return
        epoch, base_seed, place, indices = task
        try:
            if epoch != token:
                token = epoch
                seed = base_seed + number
                _seed(base_seed, number)
                torch_worker._worker_info = torch_worker.WorkerInfo(  # type: ignore[call-arg]
                    id=number, num_workers=count, seed=seed, dataset=dataset
                )
                if init is not None and not started:
                    init(number)
                started = True
            before = dataset.hits_here()
            data = collate(dataset.collated(indices))
            content = bytes(ForkingPickler.dumps(data))
            results.put((epoch, place, content, dataset.hits_here() - before))
            del data, content
        except Exception as e:
            results.put((epoch, place, bytes(ForkingPickler.dumps(portable(e))), 0))


def portable(error: BaseException) -> ExceptionWrapper:
    """The error for the main process. One of a class that cannot be pickled becomes a
    RuntimeError: it would be lost on the way, and the main process would wait for ever."""
    where = f"in a worker process (pid {os.getpid()})"
    wrapper = ExceptionWrapper((type(error), error, error.__traceback__), where=where)
    try:
        pickle.loads(pickle.dumps(wrapper))
    except Exception:
        wrapper.exc_type = RuntimeError
    return wrapper


def _seed(base_seed: int, number: int) -> None:
    """As a DataLoader seeds its workers."""
    seed = base_seed + number
    random.seed(seed)
    torch.manual_seed(seed)
    state = getattr(torch_worker, "_generate_state", None)
    np.random.seed(state(base_seed, number) if state else seed & 0xFFFF_FFFF)


class Pool:
    """Each worker has a queue of its own; what they make arrives through `take`, in any order."""

    def __init__(
        self,
        dataset: Any,
        collate: Callable[[Any], Any],
        workers: int,
        context: Any,
        init: Optional[Callable[[int], None]],
        take: Callable[[int, int, Any, int], None],
        broken: Callable[[BaseException], None],
    ) -> None:
        if context is None or isinstance(context, str):
            context = torch.multiprocessing.get_context(context)
        self._take = take
        self._broken = broken
        self._results = context.Queue()
        self._tasks = [context.Queue() for _ in range(workers)]
        self._processes = []
        self._pid = os.getpid()
        self._closing = False
        self.lost: Optional[BaseException] = None
        """Why it makes no more batches; None while it does."""
        for number, tasks in enumerate(self._tasks):
            process = context.Process(
                target=_work,
                args=(dataset, collate, tasks, self._results, number, workers, init),
                daemon=True,
            )
            process.start()
            self._processes.append(process)
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    @property
    def workers(self) -> int:
        return len(self._processes)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def give(
        self, worker: int, epoch: int, base_seed: int, place: int, indices: Sequence[int]
    ) -> None:
        self._tasks[worker].put((epoch, base_seed, place, list(indices)))

    def _collect(self) -> None:
        while not self._closing:
            try:
                result = self._results.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                dead = self._dead()
                if dead:
                    self._end(dead)
                    return
                continue
            except Exception as e:
                self._end_after(e)
                return
            epoch, place, content, hits = result
            try:
                # A worker that was killed takes the memory of its batches along.
                data = pickle.loads(content)
                self._take(epoch, place, data, hits)
            except Exception as e:
                self._end_after(e)
                return
            del result, content, data

    def _end_after(self, error: Exception) -> None:
        time.sleep(_POLL_SECONDS / 10)  # Until it is seen that a worker is dead, if one is.
        self._end(self._dead() or f"a batch of a worker process was lost: {error!r}")

    def _end(self, why: str) -> None:
        """Nobody collects batches any more."""
        if not self._closing:
            self.lost = RuntimeError(why)
            self._broken(self.lost)

    def _dead(self) -> str:
        pids = [str(p.pid) for p in self._processes if not p.is_alive()]
        return f"worker process (pid {', '.join(pids)}) exited unexpectedly" if pids else ""

    def close(self) -> None:
        if self._closing or self._pid != os.getpid():
            return
        self._closing = True
        for tasks in self._tasks:
            tasks.put(None)
        for process in self._processes:
            process.join(0 if self.lost else 5)
            if process.is_alive():
                process.terminate()
        for tasks in (*self._tasks, self._results):
            tasks.cancel_join_thread()
            tasks.close()

    def close_aside(self) -> None:
        """Closes it in a thread of its own, for who must not wait for workers."""
        # A thread that is begun while the interpreter ends may never run, and whoever begins it
        # waits for it. The workers are ended before that, as all daemons.
        if not sys.is_finalizing():
            try:
                threading.Thread(target=self.close, daemon=True).start()
            except RuntimeError:
                pass
