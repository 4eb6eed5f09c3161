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
    """One embedding for each clip: embeddings[i] is that of clips[i]."""

    embeddings: Floats  # [clips, scene_embedding_size]
    space: EmbeddingSpace
    timings: Timings
    request_id: str  # As in the server's log; empty when the server gives none.


@dataclasses.dataclass(frozen=True, eq=False)
class ClipTimestampEmbeddings:
    """Embeddings every 50 ms of one clip, or a stream's next ones."""

    embeddings: Floats  # [timestamps, timestamp_embedding_size]
    timestamps_ms: npt.NDArray[np.float64]  # [timestamps], centre of each row's window, from the clip's start.


@dataclasses.dataclass(frozen=True, eq=False)
class TimestampEmbeddings:
    """Embeddings every 50 ms of each clip."""

    clips: list[ClipTimestampEmbeddings]  # In the order of the request.
    space: EmbeddingSpace
    timings: Timings
    request_id: str


@dataclasses.dataclass(frozen=True)
class Tag:
    """One of a network's classes, mostly AudioSet's, and how probable it is that it can be heard."""

    index: int  # Place in the network's class list: AudioSet's, 0 to 526, unless it is the operator's own.
    name: str
    probability: float  # Classes are not exclusive: probabilities do not add up to 1.


@dataclasses.dataclass(frozen=True)
class Tags:
    """What can be heard in each clip."""

    clips: list[list[Tag]]  # In the order of the request; each with the most probable first.
    space: EmbeddingSpace
    timings: Timings
    request_id: str


@dataclasses.dataclass(frozen=True)
class Label:
    """One of a head's labels, and its score: 0 to 1."""

    index: int  # Place in the head's list of labels.
    name: str  # Left out in streams: list_heads tells it.
    score: float  # Of a softmax or, where the head is multi_label, of a sigmoid.


@dataclasses.dataclass(frozen=True)
class LabelRow:
    """What a timestamp head says of one window."""

    timestamp_ms: float  # Centre of the row's window, from the clip's start.
    labels: list[Label]  # Best first; of no name, which list_heads tells.


@dataclasses.dataclass(frozen=True)
class HeadAnswer:
    """What one head says of a clip: a scene head has labels, a timestamp head rows; the other list is empty."""

    labels: list[Label]  # Of a scene head, best first.
    rows: list[LabelRow]  # Of a timestamp head, one every 50 ms.


@dataclasses.dataclass(frozen=True)
class Classifications:
    """What the heads say of each clip."""

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


@dataclasses.dataclass(frozen=True)
class ServerLimits:
    """What a server takes and gives at most; each is its flag of that name. 0: no such limit, or it does not say."""

    max_message_bytes: int  # One request.
    max_reply_bytes: int
    max_clips: int  # In one request.
    max_decoded_seconds: float  # One clip; not a stream.
    max_deadline_seconds: float  # A later deadline is cut to this.
    max_piece_bytes: int  # Of a stream.


@dataclasses.dataclass(frozen=True)
class NameChanges:
    """Names of what has changed, each in one of these; the rest is as it was."""

    added: list[str]
    replaced: list[str]
    removed: list[str]


@dataclasses.dataclass(frozen=True)
class ReloadChanges:
    """What a server serves otherwise since it has read its files again."""

    networks: NameChanges
    heads: NameChanges
    certificate_replaced: bool  # By this reload: the server looks every second by itself, too.
    tokens_replaced: bool  # Likewise.


class ServingStatus(enum.Enum):
    """What a server says of its health: only SERVING takes calls."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
