"""The audio of a stream: pieces of any size, as the caller has them, and the bytes that travel."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional, TypeVar, Union

import numpy as np
import numpy.typing as npt

from hearwire.audio import Audio, Encoding

# What a stream's source yields: samples ([samples] or [samples, channels]; floats or int16), or their bytes.
Piece = Union["npt.NDArray[Any]", bytes, bytearray, memoryview]
SAMPLE_BYTES = {Encoding.LINEAR16: 2, Encoding.FLOAT32: 4}


Pieces = TypeVar("Pieces")


def check_pieces(pieces: Pieces) -> Pieces:
    """Refuses what is a piece itself."""
    if isinstance(pieces, (bytes, bytearray, memoryview, np.ndarray, str)):
        raise TypeError(f"pieces are what a source yields, not {type(pieces).__name__}: [piece] for one")
    return pieces


@dataclasses.dataclass(frozen=True)
class Format:
    encoding: Encoding
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Of one sample of all channels."""
        return SAMPLE_BYTES[self.encoding] * self.channels


class PieceReader:
    """Turns pieces into bytes. The first array says what the others must be, unless the caller did."""

    def __init__(self, encoding: Optional[Encoding], channels: Optional[int]):
        if encoding is Encoding.FILE:
            raise ValueError("encoding=FILE: a stream's pieces are samples, so LINEAR16 or FLOAT32 would be right")
        if channels is not None and not 1 <= channels <= 32:
            raise ValueError(f"channels={channels}: 1 to 32 would be right")
        if encoding is None and channels is not None:
            raise ValueError("channels= says nothing without encoding=: an array has its channels in its shape")
        self.format = Format(encoding, channels or 1) if encoding is not None else None

    def known_format(self) -> Format:
        """A source without pieces is as good as one of float32."""
        if self.format is None:
            self.format = Format(Encoding.FLOAT32, 1)
        return self.format

    def read(self, piece: Piece) -> bytes:
        """Raises TypeError or ValueError for what is no piece of this stream."""
        if isinstance(piece, np.ndarray):
            audio = Audio.from_samples(piece, 1)
            found = Format(audio.encoding, audio.channels)
            if self.format is None:
                self.format = found
            if found != self.format:
                raise ValueError(f"a piece of {_text(found)} in a stream of {_text(self.format)}")
            return audio.data
        if isinstance(piece, (bytes, bytearray, memoryview)):
            if self.format is None:
                raise ValueError("bytes do not say what they are: give encoding=, and channels= where they are several")
            return bytes(piece)
        raise TypeError(f"a piece is a numpy array or bytes, not {type(piece).__name__}")


def _text(form: Format) -> str:
    return f"{form.encoding.name}, {form.channels} channel{'s' if form.channels > 1 else ''}"
