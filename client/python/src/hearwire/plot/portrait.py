"""What is drawn of a sound: numbers, as a server and a Fourier transform give them.

Everything has a bounded size however long the sound is: a picture has some thousand columns.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from hearwire.audio import Audio
from hearwire.client import Client
from hearwire.plot.local_sound import LocalSound, read_sound

TAGS = 8
MOST_COLUMNS = 1000  # Of the spectrogram.
MOST_ROWS = 500  # Of the self-similarity.
MOST_WINDOWS = 100  # Whose tags are asked for.
FLOOR_DB = -80.0

Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Portrait:
    seconds: float
    spectrogram_db: Floats  # [frequencies, columns], from 0 Hz to half the rate; 0 dB is the loudest, FLOOR_DB the least.
    rate: int  # Of the file, in hertz.
    tag_names: list[str]  # Those that reach most somewhere, most probable first.
    probabilities: Floats  # [tags, windows]
    window_seconds: float  # Of audio that a column of probabilities is of, around its centre.
    centres: npt.NDArray[np.float64]  # [windows], in seconds, evenly spaced.
    similarity: Floats  # [rows, rows]: cosines of the embeddings, of means of neighbours where there are many.
    config: str
    network: str  # "": the server's default config's.


def make_portrait(client: Client, content: bytes, config: str) -> Portrait:
    """config "": the server's default. Raises CommandError, HearwireError, ValueError."""
    # First what a server refuses: it knows best what is wrong with a file.
    reply = client.get_timestamp_embeddings([Audio.from_bytes(content)], config)
    network = ""
    if config:
        network = next(info.network for info in client.list_configs() if info.name == config)
    sound = read_sound(content)
    centres, window = window_centres(sound.seconds)
    rows = [
        sorted(tags.clips[0], key=lambda tag: tag.index)
        for tags in client.map_tags(_windows(sound, centres, window), network, top_k=0, progress=False)
    ]
    probabilities = np.array([[tag.probability for tag in row] for row in rows], np.float32).T
    best = np.argsort(-probabilities.max(axis=1), kind="stable")[:TAGS]
    return Portrait(
        seconds=sound.seconds,
        spectrogram_db=spectrogram_db(sound),
        rate=sound.rate,
        tag_names=[rows[0][i].name for i in best],
        probabilities=probabilities[best],
        window_seconds=window,
        centres=centres,
        similarity=similarity(reply.clips[0].embeddings),
        config=reply.space.config,
        network=network,
    )


def window_centres(seconds: float) -> tuple[npt.NDArray[np.float64], float]:
    """Where tags are asked for, and of how many seconds.

    Of windows of 1 to 10 s, an eighth of the sound, every quarter of a window: longer ones would smear what happens in a
    short sound, and the networks know clips of 10 s best.
    """
    window = min(seconds, max(1.0, min(seconds / 8, 10.0)))
    rest = seconds - window
    count = min(1 + math.ceil(rest / (window / 4)), MOST_WINDOWS)
    return window / 2 + np.linspace(0, rest, count), window


def _windows(sound: LocalSound, centres: npt.NDArray[np.float64], window: float) -> Iterator[Audio]:
    length = round(window * sound.rate)
    for centre in centres:
        first = max(0, min(round((centre - window / 2) * sound.rate), len(sound.samples) - length))
        yield Audio.from_samples(sound.samples[first : first + length], sound.rate)


def spectrogram_db(sound: LocalSound) -> Floats:
    """[frequencies, columns] of Hann windows of about 32 ms."""
    size = 1 << max(5, round(np.log2(sound.rate * 0.032)))
    count = min(MOST_COLUMNS, max(1, len(sound.samples) // (size // 4)))
    padded = np.pad(sound.samples, size // 2)
    starts = np.linspace(0, len(sound.samples), count, endpoint=False).astype(np.int64)
    frames = np.stack([padded[start : start + size] for start in starts]) * np.hanning(size)
    power = np.abs(np.fft.rfft(frames)) ** 2
    loudest = power.max() or 1.0
    decibels = 10 * np.log10(np.maximum(power / loudest, 10 ** (FLOOR_DB / 10)))
    return decibels.T.astype(np.float32)


def similarity(embeddings: Floats) -> Floats:
    """Cosines of all pairs of rows, or of the means of as many neighbours as leave MOST_ROWS."""
    rows = embeddings.astype(np.float64)
    together = -(-len(rows) // MOST_ROWS)
    rows = np.stack([rows[i : i + together].mean(axis=0) for i in range(0, len(rows), together)])
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(lengths > 0, lengths, 1)
    return np.asarray(rows @ rows.T, np.float32)
