"""What other programs decode."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np

from made_sounds import Case, run

# Decoders: samples of all channels, at the file's rate.


def floats(data: bytes, channels: int) -> np.ndarray:
    values = np.frombuffer(data[: len(data) // 4 * 4], "<f4")
    return values[: len(values) // channels * channels].reshape(-1, channels)


def by_ffmpeg(*decoder: str) -> Callable[[pathlib.Path, Case], np.ndarray]:
    def decode(path: pathlib.Path, case: Case) -> np.ndarray:
        begin = ("ffmpeg", "-v", "error", "-nostdin", *decoder, "-i", path)
        return floats(run(*begin, "-f", "f32le", "-c:a", "pcm_f32le", "-"), case.channels)

    return decode


def by_sox(path: pathlib.Path, case: Case) -> np.ndarray:
    return floats(run("sox", path, "-t", "f32", "-"), case.channels)


def by_oggdec(path: pathlib.Path, case: Case) -> np.ndarray:
    values = np.frombuffer(run("oggdec", "--quiet", "--raw", "-o", "-", path), "<i2")
    return (values.reshape(-1, case.channels) / 32768).astype(np.float32)


def by_flac(path: pathlib.Path, case: Case) -> np.ndarray:
    samples = run("flac", "--silent", "--decode", "--stdout", path)
    return floats(run("sox", "-t", "wav", "-", "-t", "f32", "-", stdin=samples), case.channels)


def by_mpg123(path: pathlib.Path, case: Case) -> np.ndarray:
    return floats(run("mpg123", "--quiet", "-e", "f32", "--stdout", path), case.channels)


def by_opusdec(path: pathlib.Path, case: Case) -> np.ndarray:
    out = path.with_suffix(".decoded.wav")
    run("opusdec", "--quiet", "--rate", "48000", "--float", "--no-dither", path, out)
    content = out.read_bytes()
    return floats(content[content.index(b"data") + 8 :], case.channels)
