"""A cluster-wide cache of preprocessed training samples, around any PyTorch Dataset."""

from __future__ import annotations

from training_day.structure import register

__all__ = ["register"]
