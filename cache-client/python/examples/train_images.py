"""Trains a small network on a folder of images, one directory a class, with and without the cache.

python -m training_day serve &
python train_images.py FOLDER
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from training_day import CachedDataset

SIZE = 64


class ImageFolder(Dataset):
    """Decoded and resized once; the cache keeps what comes out of here."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.classes = sorted(entry.name for entry in Path(root).iterdir() if entry.is_dir())
        self.samples = [
            (str(file), label)
            for label, name in enumerate(self.classes)
            for file in sorted(Path(root, name).iterdir())
        ]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.samples[index]
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((SIZE, SIZE)))
        # Bytes, not floats: a quarter of the memory. They become floats on the way to the network.
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1), label


def flip(sample: tuple[torch.Tensor, int]) -> tuple[torch.Tensor, int]:
    """Random, so it runs after every read and is never cached."""
    image, label = sample
    return (image.flip(2) if torch.rand(()) < 0.5 else image), label


def network(classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, classes),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--name", default="train-images", help="what the cache keeps it under")
    options = parser.parse_args()

    torch.manual_seed(0)
    raw = ImageFolder(options.folder)
    ds = CachedDataset(raw, name=options.name, augment=flip)
    loader = DataLoader(
        ds, batch_size=32, shuffle=True, num_workers=options.workers, persistent_workers=True
    )
    model = network(len(ds.classes))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(options.epochs):
        ds.set_epoch(epoch)
        started, losses = time.perf_counter(), []
        for images, labels in loader:
            loss = nn.functional.cross_entropy(model(images.float() / 255), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        seconds = time.perf_counter() - started
        print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}, {seconds:.2f} s")
    print(ds.stats())


if __name__ == "__main__":
    main()
