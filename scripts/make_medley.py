"""Writes a sound made by formula, in which something changes: 16 s, 32 kHz, 16 bit, mono.

Usage: make_medley.py FILE.wav

A siren, wind (noise whose pitch and loudness drift), beeps, and the siren again, of 4 s each: a sound to look at
(docs/python.md).
"""

import math
import random
import struct
import sys
import wave

RATE_HZ = 32000
PART_SECONDS = 4


def siren(seconds: float) -> float:
    """Up and down between 600 and 1400 Hz, once in two seconds, with two overtones."""
    phase = 2 * math.pi * (1000 * seconds - 400 * math.sin(math.pi * seconds) / math.pi)
    return 0.5 * sum(math.sin(k * phase) / k for k in (1, 2, 3))


def beeps(seconds: float) -> float:
    """A quarter of a second of 1 kHz, and as long nothing."""
    return 0.5 * math.sin(2 * math.pi * 1000 * seconds) if seconds % 0.5 < 0.25 else 0.0


class Wind:
    """Noise behind a low-pass filter of the second order, which opens and closes."""

    def __init__(self) -> None:
        self._random = random.Random(1)
        self._first = self._second = 0.0

    def __call__(self, seconds: float) -> float:
        gust = 0.5 - 0.5 * math.cos(2 * math.pi * seconds / 2.5)
        openness = 0.01 + 0.05 * gust
        self._first += openness * (self._random.uniform(-1, 1) - self._first)
        self._second += openness * (self._first - self._second)
        return (1.5 + 2 * gust) * self._second


def main() -> None:
    frames = bytearray()
    for part in (siren, Wind(), beeps, siren):
        for n in range(RATE_HZ * PART_SECONDS):
            frames += struct.pack("<h", round(20000 * max(-1.0, min(1.0, part(n / RATE_HZ)))))
    with wave.open(sys.argv[1], "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(bytes(frames))


if __name__ == "__main__":
    main()
