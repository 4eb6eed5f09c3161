"""Sounds for the tests of bulk work."""

import wave

import numpy as np


def write_wav(path, seconds=1.0, pitch=440.0):
    """At 16 kHz, no two pitches alike."""
    time = np.arange(int(16000 * seconds)) / 16000
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((8000 * np.sin(2 * np.pi * pitch * time * (1 + time))).astype("<i2").tobytes())
    return str(path)


def chirps(folder, count):
    """Names of files of 1 s and more."""
    return [write_wav(folder / f"chirp{i:03}.wav", 1 + i % 4 / 4, 100 + 17 * i) for i in range(count)]
