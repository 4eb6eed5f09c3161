"""Audio files made by other programs' encoders, from sounds that are made by code."""

from __future__ import annotations

import dataclasses
import pathlib
import struct
import subprocess
from collections.abc import Callable

import numpy as np

TIMEOUT_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    rate: int  # Of the source, and, where decoded_rate is 0, of what is decoded.
    channels: int
    make: Callable[[Source, pathlib.Path], None]  # Writes the file.
    suffix: str
    decoded_rate: int = 0


@dataclasses.dataclass(frozen=True)
class Source:
    """The same sound as floats and as 16-bit integers, in WAV files."""

    floats: pathlib.Path
    integers: pathlib.Path


def run(*arguments: object, stdin: bytes | None = None) -> bytes:
    command = [str(argument) for argument in arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout


def wav(samples: np.ndarray, rate: int, encoding: int, bits: int) -> bytes:
    data = samples.tobytes()
    block = samples.shape[1] * samples.dtype.itemsize
    fmt = struct.pack("<HHIIHH", encoding, samples.shape[1], rate, rate * block, block, bits)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt \x10\0\0\0" + fmt
    return head + b"data" + struct.pack("<I", len(data)) + data


def make_source(folder: pathlib.Path, rate: int, channels: int) -> Source:
    """A tone that rises, and noise; another in each channel. The length is no multiple of anything."""
    random = np.random.default_rng(rate * 10 + channels)
    count = rate // 3 + 37
    time = np.arange(count) / rate
    tones = [np.sin(2 * np.pi * (200 + 300 * channel) * time * (1 + time)) for channel in range(channels)]
    samples = 0.3 * np.stack(tones, axis=1) + 0.1 * random.standard_normal((count, channels))
    samples = np.clip(samples, -0.9, 0.9)
    source = Source(folder / f"{rate}-{channels}-float.wav", folder / f"{rate}-{channels}.wav")
    source.floats.write_bytes(wav(samples.astype("<f4"), rate, 3, 32))
    source.integers.write_bytes(wav(np.round(samples * 32767).astype("<i2"), rate, 1, 16))
    return source


# Encoders: each takes options and gives what writes a file.


def sox(*options: str) -> Callable[[Source, pathlib.Path], None]:
    return lambda source, path: run("sox", "-D", source.floats, *options, path) and None


def ffmpeg(*options: str) -> Callable[[Source, pathlib.Path], None]:
    begin = ("ffmpeg", "-v", "error", "-nostdin", "-y", "-i")
    return lambda source, path: run(*begin, source.floats, *options, path) and None


def with_bits(bits: int) -> Callable[[Source, pathlib.Path], None]:
    """A WAV of 12 or 20 bits in its plain header: the values stand in the upper part of two or three bytes."""

    def make(source: Source, path: pathlib.Path) -> None:
        width = (bits + 7) // 8
        run("sox", "-D", source.floats, "-t", "wavpcm", "-b", 8 * width, path)
        content = bytearray(path.read_bytes())
        content[34:36] = struct.pack("<H", bits)
        path.write_bytes(content)

    return make


def flac(level: int, bits: int, *options: str) -> Callable[[Source, pathlib.Path], None]:
    def make(source: Source, path: pathlib.Path) -> None:
        unsigned = ["-e", "unsigned"] if bits == 8 else []
        pcm = run("sox", "-D", source.floats, "-t", "wavpcm", "-b", bits, *unsigned, "-")
        run("flac", "--silent", "--force", f"-{level}", *options, "-o", path, "-", stdin=pcm)

    return make


def oggenc(*options: str) -> Callable[[Source, pathlib.Path], None]:
    return lambda source, path: run("oggenc", "--quiet", *options, "-o", path, source.integers) and None


def opusenc(*options: str) -> Callable[[Source, pathlib.Path], None]:
    return lambda source, path: run("opusenc", "--quiet", *options, source.integers, path) and None


def ogg_checksum(page: bytes) -> int:
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x104C11DB7 if value & 0x80000000 else 0)
    return value


def changed_opus(offset: int, content: bytes, end: int = 0) -> Callable[[Source, pathlib.Path], None]:
    """An Opus file with other bytes in its header, and an end so many samples sooner."""

    def make(source: Source, path: pathlib.Path) -> None:
        opusenc("--bitrate", "64")(source, path)
        ogg = bytearray(path.read_bytes())
        ogg[28 + offset : 28 + offset + len(content)] = content
        last = ogg.rindex(b"OggS")
        ogg[last + 6 : last + 14] = struct.pack("<q", struct.unpack_from("<q", ogg, last + 6)[0] - end)
        for begin, behind in ((0, ogg.index(b"OggS", 4)), (last, len(ogg))):
            ogg[begin + 22 : begin + 26] = bytes(4)
            ogg[begin + 22 : begin + 26] = struct.pack("<I", ogg_checksum(ogg[begin:behind]))
        path.write_bytes(ogg)

    return make


def lame(*options: str) -> Callable[[Source, pathlib.Path], None]:
    def make(source: Source, path: pathlib.Path) -> None:
        rate = int(source.integers.name.partition("-")[0])
        # It lowers the rate of itself where bits are few.
        run("lame", "--quiet", "--resample", rate / 1000, *options, source.integers, path)

    return make
