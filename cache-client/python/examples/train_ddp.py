"""Trains on two processes with DistributedDataParallel, on the CPU. The ranks share the cache: each
sample is loaded once, whichever of them meets it first.

    python -m training_day serve &
    python train_ddp.py
"""

from __future__ import annotations

import argparse

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from spirals import Spirals, network, run
from training_day import CachedDataset


def train(rank: int, name: str, epochs: int) -> None:
    ds = CachedDataset(Spirals(), name=name)
    sampler = DistributedSampler(ds, seed=1)
    loader = DataLoader(ds, batch_size=64, sampler=sampler, collate_fn=ds.collate)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    world = dist.get_world_size()
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--name", default="train-ddp", help="what the cache keeps it under")
    options = parser.parse_args()
    run(train, options.processes, options.name, options.epochs)


if __name__ == "__main__":
    main()
