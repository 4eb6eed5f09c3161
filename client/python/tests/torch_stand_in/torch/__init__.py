"""As much of PyTorch as HEAR's interface touches, over numpy, so that tests need not install its gigabytes.

It is honest about names, shapes, element types and numbers. What it cannot show (devices, autograd, real modules) is
tested by scripts/hear-eval, which runs the same tests with PyTorch itself.
"""

from __future__ import annotations

import numpy as np

from . import nn

__all__ = ["Tensor", "float32", "float64", "from_numpy", "int16", "nn", "zeros"]

float32, float64, int16 = np.dtype("float32"), np.dtype("float64"), np.dtype("int16")


class Tensor:
    def __init__(self, array: np.ndarray):
        self._array = array
        self.device = "cpu"

    ndim = property(lambda self: self._array.ndim)
    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)

    def is_floating_point(self) -> bool:
        return self._array.dtype.kind == "f"

    def detach(self) -> Tensor:
        return self

    def to(self, device: str, dtype: np.dtype | None = None) -> Tensor:
        assert device == "cpu"
        return Tensor(self._array.astype(dtype or self._array.dtype, copy=False))

    def numpy(self) -> np.ndarray:
        return self._array


def from_numpy(array: np.ndarray) -> Tensor:
    assert isinstance(array, np.ndarray)
    return Tensor(array)


def zeros(shape: tuple[int, ...], dtype: np.dtype = float32) -> Tensor:
    return Tensor(np.zeros(shape, dtype))
