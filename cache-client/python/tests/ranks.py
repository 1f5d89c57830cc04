"""Processes of one job, forked, with a gloo process group or without one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import traceback
from pathlib import Path
from typing import Any, Callable

import torch
import torch.distributed as dist

_DEADLINE_SECONDS = 120.0


class RankFailed(Exception):
    """What a rank raised: the name of its type, and its text."""

    def __init__(self, rank: int, kind: str, text: str, trace: str) -> None:
        self.rank = rank
        self.kind = kind
        self.text = text
        super().__init__(f"rank {rank}: {kind}: {text}\n{trace}")


def run_ranks(
    world: int,
    do: Callable[..., Any],
    *arguments: Any,
    group: bool = True,
    until_failure: bool = False,
) -> list[Any]:
    """What `do(rank, *arguments)` gives in each of so many processes; a RankFailed in place of
    what a rank raised, and with `until_failure` nothing of the ranks behind the first of those."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="td-ranks-") as directory:
        meeting = str(Path(directory, "meeting")) if group else ""
        pipes, processes = [], []
        for rank in range(world):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(
                target=_run, args=(theirs, rank, world, meeting, do, arguments)
            )
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        try:
            results = []
            for rank, pipe in enumerate(pipes):
                results.append(_result(rank, pipe))
                if until_failure and isinstance(results[-1], RankFailed):
                    break
            return results
        finally:
            for process in processes:
                process.kill()
                process.join()


def _result(rank: int, pipe: Any) -> Any:
    if not pipe.poll(_DEADLINE_SECONDS):
        raise TimeoutError(f"rank {rank} gave no result within {_DEADLINE_SECONDS} s")
    try:
        good, result = pipe.recv()
    except EOFError:
        raise RuntimeError(f"rank {rank} ended without a result") from None
    return result if good else RankFailed(rank, *result)


def _run(
    pipe: Any, rank: int, world: int, meeting: str, do: Callable[..., Any], arguments: Any
) -> None:
    torch.set_num_threads(1)  # The threads of the parent are not here.
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world))
    try:
        if meeting:
            dist.init_process_group(
                "gloo", init_method=f"file://{meeting}", rank=rank, world_size=world
            )
        pipe.send((True, do(rank, *arguments)))
    except BaseException as e:
        pipe.send((False, (type(e).__name__, str(e), traceback.format_exc())))
    # The others may still be talking to this one. Who has all results, ends it.
    signal.pause()
