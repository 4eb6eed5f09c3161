"""What is run, as the inputs that engines on ONNX take: spectrograms made by Hearwire's own front end."""

from __future__ import annotations

import functools
import pathlib

import numpy as np

RATE, MELS = 32000, 128
MIXED_SECONDS = (0.5, 1, 1.5, 2, 3, 4, 5, 10)


def make_sound() -> np.ndarray:
    """60 s of noise whose colour and loudness change, float32."""
    generator = np.random.default_rng(7)
    noise = generator.standard_normal(60 * RATE)
    slow = np.convolve(noise, np.ones(24) / 24, mode="same")
    t = np.arange(noise.size) / RATE
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.7 * t)
    tone = np.sin(2 * np.pi * (300 * t + 200 * np.sin(2 * np.pi * 0.3 * t)))
    return (0.1 * swell * noise + 0.4 * (1 - swell) * slow + 0.1 * tone).astype(np.float32)


def write_sound(path: pathlib.Path) -> None:
    """For bench_worker: 600 s of it, again and again."""
    np.tile(make_sound(), 10).tofile(path)


def _spectrograms(folder: pathlib.Path, workload: str) -> list[np.ndarray]:
    """As bench_worker wrote them: each window's frames after its number of frames."""
    values, windows, place = np.fromfile(folder / f"windows-{workload}", "<f4"), [], 0
    while place < values.size:
        frames = int(values[place])
        windows.append(values[place + 1 : place + 1 + frames * MELS].reshape(frames, MELS).T)
        place += 1 + frames * MELS
    return windows


@functools.lru_cache(maxsize=32)
def inputs_of(folder: pathlib.Path, workload: str, batch: int) -> list[np.ndarray]:
    """Batches of at most `batch` windows of equal length, [windows, 1, mels, frames]."""
    lengths: dict[int, list[np.ndarray]] = {}
    for window in _spectrograms(folder, workload):
        lengths.setdefault(window.shape[1], []).append(window)
    return [
        np.ascontiguousarray(np.stack(same[i : i + batch])[:, None])
        for same in lengths.values()
        for i in range(0, len(same), batch)
    ]
