"""Trains on several processes, each of which reads what its own host holds, in the very steps that
a global shuffle gives; stops, and goes on with another number of processes where it was.

    python -m training_day serve &
    python train_plan.py --processes 2 --stop-after 9 --checkpoint ddp.pt
    python train_plan.py --processes 3 --checkpoint ddp.pt
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader

from spirals import Spirals, network, run
from training_day import CachedDataset, EpochBatchSampler


def train(rank: int, options: argparse.Namespace) -> None:
    ds = CachedDataset(Spirals(), name=options.name)
    batches = EpochBatchSampler(ds, global_batch=96, tail="uneven", seed=1)
    loader = DataLoader(ds, batch_sampler=batches, collate_fn=ds.collate)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    if options.checkpoint and options.checkpoint.exists():
        saved = torch.load(options.checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        batches.load_state_dict(saved["batches"])
    for epoch in range(batches.epoch, options.epochs):
        batches.set_epoch(epoch)
        seen = torch.zeros(1, dtype=torch.int64)
        steps = 0
        for points, arms in loader:
            if steps == options.stop_after:
                break
            # Ranks may read one sample more or less; the weight evens that out.
            weight = batches.weight(steps)
            loss = weight * nn.functional.cross_entropy(model(points), arms)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(arms) if weight else 0
            steps += 1
        dist.all_reduce(seen)
        if rank == 0:
            share = batches.plan.predicted_local_share
            print(
                f"epoch {epoch}: {steps} steps, {seen.item()} samples by"
                f" {dist.get_world_size()} ranks, {share:.1%} expected from their own hosts"
            )
            if options.checkpoint:
                saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save({**saved, "batches": batches.state_dict(step=steps)}, options.checkpoint)
        if options.stop_after:
            break
    batches.check()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--stop-after", type=int, help="steps of the first epoch")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--name", default="train-plan", help="what the cache keeps it under")
    options = parser.parse_args()
    run(train, options.processes, options)


if __name__ == "__main__":
    main()
