"""A cluster-wide cache of preprocessed training samples, around any PyTorch Dataset.

from training_day import CachedDataset
ds = CachedDataset(raw, name="imagenet-train")
loader = DataLoader(ds, batch_size=256, shuffle=True, num_workers=4)
"""

from __future__ import annotations

__version__ = "0.1.0"

from training_day.dataset import CachedDataset, CacheStats, concat, subset
from training_day.diagnosis import doctor
from training_day.errors import (
    CacheRefusedError,
    CacheWarning,
    FingerprintError,
    PlanError,
    RandomTransformError,
    ShardedTwiceError,
    SourceMismatch,
    TrainingDayError,
    UnsupportedTypeError,
)
from training_day.fingerprints import Fingerprint, fingerprint
from training_day.loader import BatchLoader
from training_day.ownership import Ownership
from training_day.plan import EpochPlan, reference_order
from training_day.sampling import EpochBatchSampler, EpochSampler
from training_day.structure import register
from training_day.warming import WarmProgress, WarmUp

__all__ = [
    "BatchLoader",
    "CacheRefusedError",
    "CacheStats",
    "CacheWarning",
    "CachedDataset",
    "EpochBatchSampler",
    "EpochPlan",
    "EpochSampler",
    "Fingerprint",
    "FingerprintError",
    "Ownership",
    "PlanError",
    "RandomTransformError",
    "ShardedTwiceError",
    "SourceMismatch",
    "TrainingDayError",
    "UnsupportedTypeError",
    "WarmProgress",
    "WarmUp",
    "concat",
    "doctor",
    "fingerprint",
    "reference_order",
    "register",
    "subset",
]
