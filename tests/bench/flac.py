"""FLAC files, written piece by piece by the libsndfile that the server itself needs."""

from __future__ import annotations

import ctypes
import pathlib
from collections.abc import Iterable

import numpy as np

_WRITE = 0x20
_FLAC_16_BIT = 0x170000 | 0x0002


class _Info(ctypes.Structure):
    _fields_ = [
        ("frames", ctypes.c_int64),
        ("samplerate", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("format", ctypes.c_int),
        ("sections", ctypes.c_int),
        ("seekable", ctypes.c_int),
    ]


def write(path: pathlib.Path, pieces: Iterable[np.ndarray], rate: int) -> bytes:
    """One channel of 16-bit samples, in pieces. Returns the file."""
    library = ctypes.CDLL("libsndfile.so.1")
    library.sf_open.restype = ctypes.c_void_p
    library.sf_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(_Info)]
    library.sf_write_short.restype = ctypes.c_int64
    library.sf_write_short.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    library.sf_close.argtypes = [ctypes.c_void_p]
    file = library.sf_open(str(path).encode(), _WRITE, _Info(0, rate, 1, _FLAC_16_BIT, 0, 0))
    if not file:
        raise OSError(f"libsndfile cannot write {path}")
    for piece in pieces:
        samples = np.ascontiguousarray(piece, dtype=np.int16)
        if library.sf_write_short(file, samples.ctypes.data, samples.size) != samples.size:
            raise OSError(f"libsndfile cannot write to {path}")
    library.sf_close(file)
    return path.read_bytes()
