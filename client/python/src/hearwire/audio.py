"""One clip to send: raw samples, or the bytes of an audio file."""

from __future__ import annotations

import dataclasses
import enum
import io
import operator
import os
import pathlib
from typing import Any, BinaryIO, Optional, Protocol, Union

import numpy as np
import numpy.typing as npt

from hearwire._foreign import decode, foreign_kind

MAX_CHANNELS = 32


class SupportsArray(Protocol):
    """A tensor, a pandas Series, and whatever else numpy makes an array of."""

    def __array__(self) -> npt.NDArray[Any]: ...


class Encoding(enum.Enum):
    FILE = "file"  # A whole WAV, FLAC, Ogg (Vorbis, Opus, FLAC), MP3, AIFF, AU or CAF file.
    LINEAR16 = "linear16"  # Signed 16-bit samples; 32768 is full scale.
    FLOAT32 = "float32"  # 1.0 is full scale; larger values are taken as they are.


@dataclasses.dataclass(frozen=True)
class Audio:
    """A clip as it travels. The server mixes it down to mono and resamples it to 32 kHz."""

    encoding: Encoding
    data: bytes = dataclasses.field(repr=False)  # The file, or little-endian samples with their channels interleaved.
    sample_rate: int = 0  # Hertz, 1000 to 384000; of no meaning for FILE.
    channels: int = 1  # 1 to 32; likewise.

    @staticmethod
    def from_bytes(data: Union[bytes, bytearray, memoryview]) -> Audio:
        """`data` is the content of an audio file.

        What the server does not decode (M4A, WebM, WMA and the like) is decoded here, by ffmpeg if that is on PATH: it
        takes a moment, which a program on an event loop leaves to asyncio.to_thread. Raises ValueError where there is
        no ffmpeg (the message says how to get it), or it finds the file damaged.
        """
        content = bytes(data)
        kind = foreign_kind(content)
        return Audio(Encoding.FILE, content if kind is None else decode(content, kind))

    @staticmethod
    def from_file(path: Union[str, os.PathLike[str]]) -> Audio:
        """Reads an audio file; the server decodes it. Raises OSError if it cannot be read, ValueError as from_bytes."""
        try:
            return Audio.from_bytes(pathlib.Path(path).read_bytes())
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None

    @staticmethod
    def from_samples(samples: npt.ArrayLike, sample_rate: int) -> Audio:
        """samples: [samples] or [samples, channels], of floats (1.0 is full scale) or int16: a numpy array, a tensor of
        PyTorch's (on whatever device) or another library's, a pandas Series, or lists.

        Raises TypeError for other elements, ValueError for other shapes and for a sample_rate that is not whole.
        """
        array = _as_array(samples)
        if array.ndim == 2 and array.shape[0] <= MAX_CHANNELS < array.shape[1]:
            raise ValueError(
                f"a clip of shape {array.shape} looks like [channels, samples]: transpose it (.T) to [samples, channels]"
            )
        if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= MAX_CHANNELS):
            raise ValueError(
                f"a clip of shape {array.shape}: [samples], or [samples, channels] with 1 to {MAX_CHANNELS} channels, "
                "would be right"
            )
        if array.dtype.kind == "f":
            encoding, kind = Encoding.FLOAT32, "<f4"
        elif array.dtype.kind == "i" and array.dtype.itemsize == 2:
            encoding, kind = Encoding.LINEAR16, "<i2"
        else:
            raise TypeError(f"a clip of {array.dtype}: floats with 1.0 as full scale, or int16, would be right")
        channels = array.shape[1] if array.ndim == 2 else 1
        return Audio(encoding, array.astype(kind, copy=False).tobytes(), as_hertz(sample_rate), channels)


def as_hertz(sample_rate: float) -> int:
    """A whole number, as the message has room for no other. Raises TypeError for what is no number, else ValueError."""
    right = "a whole number of hertz, such as 44100, would be right"
    if isinstance(sample_rate, (float, np.floating)):
        if not float(sample_rate).is_integer():
            raise ValueError(f"sample_rate={sample_rate}: {right}")
        return int(sample_rate)
    try:
        return operator.index(sample_rate)
    except TypeError:
        raise TypeError(f"sample_rate={sample_rate!r}: {right}") from None


# What the client's methods take for a clip: audio, the name of a file, a file's content or an open one, or samples.
Clip = Union[Audio, str, "os.PathLike[str]", bytes, bytearray, memoryview, BinaryIO, "npt.ArrayLike", SupportsArray]


def as_audio(clip: Clip, sample_rate: Optional[int]) -> Audio:
    """sample_rate: of arrays, which do not say theirs. Raises TypeError, ValueError or OSError."""
    if isinstance(clip, Audio):
        return clip
    if isinstance(clip, (str, os.PathLike)):
        return Audio.from_file(clip)
    if isinstance(clip, (bytes, bytearray, memoryview)):
        return Audio.from_bytes(clip)
    if is_open_file(clip):
        return Audio.from_bytes(_content(clip))
    if isinstance(clip, (list, tuple)) or hasattr(clip, "__array__"):
        if sample_rate is None:
            raise ValueError("an array does not say its sample rate: give sample_rate=, in hertz")
        return Audio.from_samples(clip, sample_rate)
    raise TypeError(
        "a clip is a file's name, a file's bytes, an open binary file, samples (a numpy array, a tensor, a list) or a "
        f"hearwire.Audio, not {type(clip).__name__}"
    )


def is_open_file(value: Any) -> bool:
    return hasattr(value, "read") and not hasattr(value, "__array__")


def is_tensor(value: Any) -> bool:
    """Of PyTorch's kind, which may be on another device and know its gradient."""
    return hasattr(value, "detach") and hasattr(value, "numpy")


def _as_array(samples: Any) -> npt.NDArray[Any]:
    if is_tensor(samples):
        samples = samples.detach()
        # bfloat16 is no type of numpy's.
        if str(samples.dtype) == "torch.bfloat16":
            samples = samples.float()
        return np.asarray(samples.cpu().numpy() if hasattr(samples, "cpu") else samples.numpy())
    return np.asarray(samples)


def _content(file: Any) -> bytes:
    # A buffer that was just written to stands at its end.
    content = file.getvalue() if isinstance(file, io.BytesIO) else file.read()
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise TypeError(f"an open file gives {type(content).__name__}: open it with mode 'rb'")
    if not content:
        raise ValueError("an open file is at its end: seek(0) goes back to its beginning")
    return bytes(content)
