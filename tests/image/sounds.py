"""Sounds and stored numbers, with nothing but Python's own library."""

from __future__ import annotations

import array
import ast
import math
import pathlib
import struct
import wave
from collections.abc import Iterable

RATE_HZ = 32000


def golden_chirp(rate_hz: int = RATE_HZ) -> array.array:
    """The sound chirp_1s of tests/golden/hearwire_mn01 (models/weights/README.md has its formula)."""
    k = math.log(12000 / 80)
    times = (n / rate_hz for n in range(rate_hz))
    return array.array("f", (0.5 * math.sin(2 * math.pi * 80 / k * (math.exp(t * k) - 1)) for t in times))


def write_float_wav(path: pathlib.Path, samples: array.array) -> None:
    """Mono, 32 kHz, 32-bit float, so that nothing is rounded on the way."""
    data = array.array("f", samples).tobytes()
    form = struct.pack("<HHIIHH", 3, 1, RATE_HZ, 4 * RATE_HZ, 4, 32)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 20 + len(form) + len(data)) + b"WAVE"
        + b"fmt " + struct.pack("<I", len(form)) + form
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip


def write_16_bit_wav(path: pathlib.Path, samples: Iterable[float], rate_hz: int, times: int = 1) -> None:
    """Mono; the samples so many times in a row."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(array.array("h", (round(32767 * sample) for sample in samples)).tobytes() * times)


def read_npy(path: pathlib.Path) -> tuple[tuple[int, ...], array.array]:
    """Shape and values of an array of float32 or float64 in C order; values as double."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", f"{path} is no .npy file of version 1"
    end = 10 + struct.unpack_from("<H", data, 8)[0]
    header = ast.literal_eval(data[10:end].decode("latin1"))
    assert header["descr"] in ("<f4", "<f8") and not header["fortran_order"], (path, header)
    values = array.array("f" if header["descr"] == "<f4" else "d")
    values.frombytes(data[end:])
    return header["shape"], array.array("d", values)
