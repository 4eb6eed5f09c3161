"""The samples of a sound, here: a server answers embeddings and tags, no samples to draw."""

from __future__ import annotations

import dataclasses
import io
import shutil
import wave

import numpy as np
import numpy.typing as npt

from hearwire._command_line import CommandError
from hearwire._foreign import decode


@dataclasses.dataclass(frozen=True, eq=False)
class LocalSound:
    samples: npt.NDArray[np.float32]  # [samples], the channels' mean; 1.0 is full scale.
    rate: int  # Hertz.

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def read_sound(content: bytes) -> LocalSound:
    """A WAV file of integers is read here, everything else by the ffmpeg on PATH. Raises CommandError."""
    try:
        return _read_wav(content)
    except (wave.Error, EOFError):
        pass
    if shutil.which("ffmpeg") is None:
        raise CommandError(
            "the spectrogram of a file that is no plain WAV needs ffmpeg, which is not on PATH: apt install ffmpeg, or "
            "make a WAV file of it"
        )
    try:
        return _read_wav(decode(content, "a sound"))
    except ValueError as error:
        raise CommandError(str(error)) from None


def _read_wav(content: bytes) -> LocalSound:
    with wave.open(io.BytesIO(content)) as file:
        width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
        data = file.readframes(file.getnframes())
    data = data[: len(data) // (width * channels) * (width * channels)]
    if width == 1:  # Unsigned, alone of all widths.
        values = np.frombuffer(data, np.uint8).astype(np.float32) / 128 - 1
    else:
        # The upper bytes of 32 bits, the lower ones 0.
        wide = np.zeros((len(data) // width, 4), np.uint8)
        wide[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
        values = wide.view("<i4")[:, 0].astype(np.float32) / 2**31
    return LocalSound(values.reshape(-1, channels).mean(axis=1, dtype=np.float32), rate)
