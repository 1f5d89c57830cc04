"""Equality that looks at types, dtypes and bits."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from PIL import Image


def assert_same(got: Any, expected: Any, where: str = "sample") -> None:
    """Fails, saying where, unless both are the same in value, type and structure."""
    assert type(got) is type(expected), f"{where}: {type(got)} is not {type(expected)}"
    if isinstance(expected, torch.Tensor):
        assert got.dtype == expected.dtype and got.shape == expected.shape, where
        assert torch.equal(got, expected.resolve_conj()), where
    elif isinstance(expected, (np.ndarray, np.generic)):
        assert got.dtype == expected.dtype and got.shape == expected.shape, where
        assert np.array_equal(got, expected), where
    elif isinstance(expected, Image.Image):
        assert (got.mode, got.size) == (expected.mode, expected.size), where
        assert got.tobytes() == expected.tobytes(), where
        assert got.getpalette() == expected.getpalette(), where
        assert got.info.get("transparency") == expected.info.get("transparency"), where
    elif isinstance(expected, dict):
        assert [(type(k), k) for k in got] == [(type(k), k) for k in expected], where
        for key in expected:
            assert_same(got[key], expected[key], f"{where}[{key!r}]")
    elif isinstance(expected, (list, tuple)):
        assert len(got) == len(expected), where
        for i, (one, other) in enumerate(zip(got, expected)):
            assert_same(one, other, f"{where}[{i}]")
    elif dataclasses.is_dataclass(expected):
        for field in dataclasses.fields(expected):
            assert_same(
                getattr(got, field.name), getattr(expected, field.name), f"{where}.{field.name}"
            )
    elif isinstance(expected, float):
        assert np.float64(got).tobytes() == np.float64(expected).tobytes(), where
    else:
        assert got == expected, where
