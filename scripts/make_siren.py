"""Writes a sound made by formula: three seconds of a siren, 44.1 kHz, 16 bit, mono.

Usage: make_siren.py FILE.wav
"""

import math
import struct
import sys
import wave

RATE_HZ = 44100
SECONDS = 3


def main() -> None:
    phase = 0.0
    frames = bytearray()
    for n in range(RATE_HZ * SECONDS):
        # Up and down between 600 and 1400 Hz, twice a second, with two overtones.
        phase += 2 * math.pi * (1000 - 400 * math.cos(2 * math.pi * 2 * n / RATE_HZ)) / RATE_HZ
        value = sum(math.sin(k * phase) / k for k in (1, 2, 3)) / 3
        frames += struct.pack("<h", round(20000 * value))
    with wave.open(sys.argv[1], "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(bytes(frames))


if __name__ == "__main__":
    main()
