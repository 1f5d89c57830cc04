"""A training that passes over the data set until it is asked to end, and tells of each pass."""

import signal
import time

import torch
from torch.utils.data import DataLoader

from data import Spirals, dataset

# Stands for what a training does with a batch.
STEP_SECONDS = 0.003

asked_to_end = False


def end(*_):
    global asked_to_end
    asked_to_end = True


def main():
    signal.signal(signal.SIGTERM, end)
    raw = Spirals()
    points = torch.stack([raw[i][0] for i in range(len(raw))])
    arms = torch.tensor([raw[i][1] for i in range(len(raw))])
    ds = dataset()
    epoch = 0
    while not asked_to_end:
        before = ds.stats()
        ds.set_epoch(epoch)
        longest = 0.0
        batches = torch.randperm(len(raw)).view(-1, 64)
        asked = time.monotonic()
        for batch, (got_points, got_arms) in zip(batches, DataLoader(ds, batch_sampler=batches.tolist())):
            longest = max(longest, time.monotonic() - asked)
            assert torch.equal(got_points, points[batch]) and torch.equal(got_arms, arms[batch])
            time.sleep(STEP_SECONDS)
            asked = time.monotonic()
        now = ds.stats()
        print(
            f"epoch {epoch}: {now.hits - before.hits} hits,"
            f" {now.origin_loads - before.origin_loads} loads,"
            f" {now.slot_batches - before.slot_batches} batches in slots,"
            f" {now.inline_batches - before.inline_batches} inline,"
            f" longest wait {longest * 1000:.0f} ms",
            flush=True,
        )
        epoch += 1


if __name__ == "__main__":
    main()
