"""Trains on two processes with DistributedDataParallel, on the CPU. The ranks share the cache: each
sample is loaded once, whichever of them meets it first.

    python -m training_day serve &
    python train_ddp.py
"""

from __future__ import annotations

import argparse
import os
import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from training_day import CachedDataset


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


def train(rank: int, world: int, port: int, name: str, epochs: int) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=world)
    torch.manual_seed(0)
    ds = CachedDataset(Spirals(), name=name)
    sampler = DistributedSampler(ds, seed=1)
    loader = DataLoader(ds, batch_size=64, sampler=sampler, collate_fn=ds.collate)
    model = DistributedDataParallel(
        nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        ds.set_epoch(epoch)
        total = torch.zeros(1)
        for points, arms in loader:
            loss = nn.functional.cross_entropy(model(points), arms)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        dist.all_reduce(total)
        if rank == 0:
            print(f"epoch {epoch}: loss {total.item() / world / len(loader):.4f}")
    loads = torch.tensor([ds.stats().origin_loads])
    dist.all_reduce(loads)
    if rank == 0:
        print(f"{loads.item()} loads of {len(ds)} samples by {world} ranks in {epochs} epochs")
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--name", default="train-ddp", help="what the cache keeps it under")
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = (options.processes, port, options.name, options.epochs)
    mp.spawn(train, args=arguments, nprocs=options.processes)


if __name__ == "__main__":
    main()
