"""What the examples of several processes share: a small data set, a network for it, and the start
of the processes, which torchrun does elsewhere. They are forked, which is fast and not for CUDA."""

from __future__ import annotations

import tempfile
from typing import Any, Callable

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset


class Spirals(Dataset):
    """Points on two arms; stands for a data set that is slow to load."""

    def __init__(self, n: int = 2048) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        arm = index % 2
        t = torch.tensor(index / self.n * 6.0)
        turn = t + arm * torch.pi
        return torch.stack([t * turn.cos(), t * turn.sin()]), arm


def network() -> nn.Module:
    """For two numbers in and two classes out, the same on all ranks."""
    torch.manual_seed(0)
    return DistributedDataParallel(
        nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
    )


def run(train: Callable[..., None], processes: int, *arguments: Any) -> None:
    """Calls `train(rank, *arguments)` in so many processes that make up a process group."""
    with tempfile.TemporaryDirectory() as directory:
        given = (processes, f"file://{directory}/meeting", train, arguments)
        mp.start_processes(_begin, given, processes, start_method="fork")


def _begin(
    rank: int, world: int, meeting: str, train: Callable[..., None], arguments: tuple
) -> None:
    torch.set_num_threads(1)  # The ranks share the cores.
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    try:
        train(rank, *arguments)
    finally:
        dist.destroy_process_group()
