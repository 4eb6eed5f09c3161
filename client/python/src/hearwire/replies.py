"""What calls answer."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


@dataclasses.dataclass(frozen=True)
class EmbeddingSpace:
    """Two embeddings may be compared only when their spaces are equal."""

    config: str  # Empty for tags.
    weights_sha256: str  # Of the checkpoint file, lower-case hexadecimal.
    frontend: str  # Version of the audio front end.
    precision: str  # "float32", "float16" or "bfloat16": what the network computed in.


@dataclasses.dataclass(frozen=True)
class Timings:
    """Seconds that the server spent on the call."""

    total: float  # From the arrival of the whole request to the reply.
    decode: float  # Decoding, resampling and spectrograms of all clips.
    queue: float  # The longest wait of one of the call's windows for a batch.
    inference: float  # Sum over the batches with the call's windows, shared batches counted whole.


@dataclasses.dataclass(frozen=True, eq=False)
class SceneEmbeddings:
    embeddings: Floats  # [clips, scene_embedding_size]
    space: EmbeddingSpace
    timings: Timings
    request_id: str  # As in the server's log; empty when the server gives none.


@dataclasses.dataclass(frozen=True, eq=False)
class ClipTimestampEmbeddings:
    embeddings: Floats  # [timestamps, timestamp_embedding_size]
    timestamps_ms: npt.NDArray[np.float64]  # [timestamps], centre of each row's window, from the clip's start.


@dataclasses.dataclass(frozen=True, eq=False)
class TimestampEmbeddings:
    clips: list[ClipTimestampEmbeddings]  # In the order of the request.
    space: EmbeddingSpace
    timings: Timings
    request_id: str


@dataclasses.dataclass(frozen=True)
class Tag:
    index: int  # Place in AudioSet's class list, 0 to 526.
    name: str
    probability: float  # Classes are not exclusive: probabilities do not add up to 1.


@dataclasses.dataclass(frozen=True)
class Tags:
    clips: list[list[Tag]]  # In the order of the request; each with the most probable first.
    space: EmbeddingSpace
    timings: Timings
    request_id: str


@dataclasses.dataclass(frozen=True)
class Label:
    index: int  # Place in the head's list of labels.
    name: str  # Left out in streams: list_heads tells it.
    score: float  # Of a softmax or, where the head is multi_label, of a sigmoid.


@dataclasses.dataclass(frozen=True)
class LabelRow:
    timestamp_ms: float  # Centre of the row's window, from the clip's start.
    labels: list[Label]  # Best first; of no name, which list_heads tells.


@dataclasses.dataclass(frozen=True)
class HeadAnswer:
    labels: list[Label]  # Of a scene head, best first.
    rows: list[LabelRow]  # Of a timestamp head, one every 50 ms.


@dataclasses.dataclass(frozen=True)
class Classifications:
    clips: list[dict[str, HeadAnswer]]  # In the order of the request; by the heads' names.
    timings: Timings
    request_id: str


@dataclasses.dataclass(frozen=True)
class HeadInfo:
    """One head that the server has loaded."""

    name: str
    config: str  # The embedding that it reads.
    kind: str  # "scene": one answer a clip; "timestamps": one every 50 ms.
    labels: list[str]
    multi_label: bool  # Scores are sigmoids, not a softmax.
    space: EmbeddingSpace
    sha256: str  # Of the head's file, lower-case hexadecimal.


@dataclasses.dataclass(frozen=True)
class StreamStarted:
    """A stream's first event: the server has understood what is asked for."""

    space: EmbeddingSpace
    scene_embedding_size: int
    timestamp_embedding_size: int


@dataclasses.dataclass(frozen=True, eq=False)
class SceneWindow:
    """10 s around 0, 2.5, 5 s … of a recording that is longer than 10 s."""

    centre_ms: float
    embedding: Optional[Floats]  # [scene_embedding_size]; None unless scenes were asked for.
    tags: list[Tag]  # Most probable first.
    heads: dict[str, HeadAnswer]  # Of scene heads, by their names.


@dataclasses.dataclass(frozen=True)
class HeadRows:
    """The next answers of timestamp heads."""

    heads: dict[str, HeadAnswer]  # By the heads' names.


@dataclasses.dataclass(frozen=True, eq=False)
class StreamSummary:
    """A stream's last event. scene, tags and heads are of the whole recording, as the unary calls answer.

    They are empty unless asked for, and where the server that ended the stream has not heard all of the recording.
    """

    audio_ms: float  # The recording's length, with what lies before first_sample.
    timestamp_rows: int  # That came as events.
    scene_windows: int  # Likewise.
    resumes: int  # How often the stream went on at another server, or at the same one anew.
    scene: Optional[Floats]  # [scene_embedding_size]
    tags: list[Tag]
    heads: dict[str, HeadAnswer]  # Of scene heads, by their names.


# ClipTimestampEmbeddings are a stream's next rows: one or more, as soon as they are known.
StreamEvent = Union[StreamStarted, ClipTimestampEmbeddings, SceneWindow, HeadRows, StreamSummary]


@dataclasses.dataclass(frozen=True)
class ConfigInfo:
    """One config that the server knows."""

    name: str
    network: str
    loaded: bool  # Its checkpoint is in memory: calls will be answered.
    is_default: bool  # What an empty config in a request means.
    sample_rate: int  # Hertz.
    scene_embedding_size: int
    timestamp_embedding_size: int
    timestamp_window_ms: float
    timestamp_hop_ms: float
    min_scene_samples: int  # Shortest clip that can be embedded, at sample_rate.
    min_timestamp_samples: int  # Likewise.
    space: Optional[EmbeddingSpace]  # Of the loaded checkpoint; None when none is loaded.


class ServingStatus(enum.Enum):
    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
