"""Between what the clients take and give, and the messages on the wire."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from typing import Any, Callable, Generic, Optional, TypeVar

import grpc
import numpy as np
import numpy.typing as npt

from hearwire.audio import Audio, Clip, Encoding, as_audio, is_open_file, is_tensor
from hearwire.errors import HearwireError
from hearwire.replies import (
    Classifications,
    ClipTimestampEmbeddings,
    ConfigInfo,
    EmbeddingSpace,
    Floats,
    HeadAnswer,
    HeadInfo,
    Label,
    LabelRow,
    SceneEmbeddings,
    ServerLimits,
    Tag,
    Tags,
    TimestampEmbeddings,
    Timings,
)
from hearwire.v1 import embedding_pb2 as pb

Reply = TypeVar("Reply")
Clips = TypeVar("Clips")


@dataclasses.dataclass(frozen=True)
class Call(Generic[Reply]):
    """One RPC to make."""

    method: str  # As the proto names it.
    request: Any
    decode: Callable[[Any, str], Reply]  # The reply's message and the request id.

    def check_size(self, max_message_bytes: int) -> int:
        """The request's bytes; raises HearwireError for more than so many."""
        size: int = self.request.ByteSize()
        if size > max_message_bytes:
            raise HearwireError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"a request of {size} bytes is larger than this client sends ({max_message_bytes} bytes, its "
                "max_message_bytes): send fewer or shorter clips, or make the client with a higher limit",
            )
        return size


def scene_embeddings(
    clips: Iterable[Clip], config: str, sample_rate: Optional[int], dtype: npt.DTypeLike
) -> Call[SceneEmbeddings]:
    request = pb.GetSceneEmbeddingsRequest(
        config=config, clips=_audios(clips, sample_rate), element_type=element_type(dtype)
    )

    def decode(reply: pb.GetSceneEmbeddingsResponse, request_id: str) -> SceneEmbeddings:
        embeddings = _array(reply.embeddings)
        _check_count(len(embeddings), len(request.clips))
        return SceneEmbeddings(embeddings, space(reply.space), _timings(reply.timings), request_id)

    return Call("GetSceneEmbeddings", request, decode)


def timestamp_embeddings(
    clips: Iterable[Clip], config: str, sample_rate: Optional[int], dtype: npt.DTypeLike
) -> Call[TimestampEmbeddings]:
    request = pb.GetTimestampEmbeddingsRequest(
        config=config, clips=_audios(clips, sample_rate), element_type=element_type(dtype)
    )

    def decode(reply: pb.GetTimestampEmbeddingsResponse, request_id: str) -> TimestampEmbeddings:
        _check_count(len(reply.clips), len(request.clips))
        decoded = []
        for clip in reply.clips:
            decoded.append(ClipTimestampEmbeddings(*timestamp_rows(clip)))
        return TimestampEmbeddings(decoded, space(reply.space), _timings(reply.timings), request_id)

    return Call("GetTimestampEmbeddings", request, decode)


def tags(clips: Iterable[Clip], network: str, sample_rate: Optional[int], top_k: int) -> Call[Tags]:
    request = pb.GetTagsRequest(network=network, clips=_audios(clips, sample_rate), top_k=_top_k(top_k, "classes"))

    def decode(reply: pb.GetTagsResponse, request_id: str) -> Tags:
        _check_count(len(reply.clips), len(request.clips))
        decoded = [tag_list(clip.tags) for clip in reply.clips]
        return Tags(decoded, space(reply.space), _timings(reply.timings), request_id)

    return Call("GetTags", request, decode)


def classify(
    clips: Iterable[Clip], heads: Iterable[str], sample_rate: Optional[int], top_k: int
) -> Call[Classifications]:
    if isinstance(heads, str):
        raise TypeError(f"heads is a list of names, not one: [{heads!r}] would be right")
    request = pb.ClassifyRequest(heads=heads, clips=_audios(clips, sample_rate), top_k=_top_k(top_k, "labels"))

    def decode(reply: pb.ClassifyResponse, request_id: str) -> Classifications:
        _check_count(len(reply.clips), len(request.clips))
        decoded = [head_answers(clip.heads) for clip in reply.clips]
        return Classifications(decoded, _timings(reply.timings), request_id)

    return Call("Classify", request, decode)


def heads() -> Call[list[HeadInfo]]:
    def decode(reply: pb.ListHeadsResponse, request_id: str) -> list[HeadInfo]:
        return [_head(head) for head in reply.heads]

    return Call("ListHeads", pb.ListHeadsRequest(), decode)


def configs(loaded_only: bool) -> Call[list[ConfigInfo]]:
    def decode(reply: pb.ListConfigsResponse, request_id: str) -> list[ConfigInfo]:
        return [_config(config) for config in reply.configs]

    return Call("ListConfigs", pb.ListConfigsRequest(loaded_only=loaded_only), decode)


def limits() -> Call[ServerLimits]:
    def decode(reply: pb.ListConfigsResponse, request_id: str) -> ServerLimits:
        return ServerLimits(
            max_message_bytes=reply.limits.max_message_bytes,
            max_reply_bytes=reply.limits.max_reply_bytes,
            max_clips=reply.limits.max_clips,
            max_decoded_seconds=reply.limits.max_decoded_seconds,
            max_deadline_seconds=reply.limits.max_deadline_seconds,
            max_piece_bytes=reply.limits.max_piece_bytes,
        )

    return Call("ListConfigs", pb.ListConfigsRequest(loaded_only=True), decode)  # The shortest answer.


def check_clips(clips: Clips) -> Clips:
    """Refuses what is a clip itself, or an array that may be one clip of several channels or several clips."""
    one = isinstance(clips, (Audio, str, os.PathLike, bytes, bytearray, memoryview, np.ndarray))
    if one or is_open_file(clips) or is_tensor(clips):
        raise TypeError(
            f"clips is a list of clips, not {type(clips).__name__}: [clip] for one, list(array) for its rows"
        )
    return clips


def _audios(clips: Iterable[Clip], sample_rate: Optional[int]) -> list[pb.Audio]:
    return [_audio(as_audio(clip, sample_rate)) for clip in check_clips(clips)]


def _audio(audio: Audio) -> pb.Audio:
    if audio.encoding is Encoding.FILE:
        return pb.Audio(encoded=audio.data)
    encoding = pb.Pcm.ENCODING_LINEAR16 if audio.encoding is Encoding.LINEAR16 else pb.Pcm.ENCODING_FLOAT32
    # What the message has no room for, the server could only have refused.
    for name, value in (("sample_rate", audio.sample_rate), ("channels", audio.channels)):
        if not 0 <= value < 2**32:
            raise ValueError(f"{name}={value} is out of range")
    return pb.Audio(
        pcm=pb.Pcm(
            encoding=encoding,
            sample_rate_hertz=audio.sample_rate,
            channel_count=audio.channels,
            samples=audio.data,
        )
    )


def element_type(dtype: npt.DTypeLike) -> pb.ElementType:
    kind = np.dtype(dtype)
    if kind == np.float32:
        return pb.ELEMENT_TYPE_FLOAT32
    if kind == np.float16:
        return pb.ELEMENT_TYPE_FLOAT16
    raise ValueError(f"dtype={kind}: float32 or float16 would be right")


def _top_k(top_k: int, what: str) -> int:
    if top_k < 0:
        raise ValueError(f"top_k={top_k}: 0 (all {what}) or more would be right")
    return top_k


def contradiction(what: str) -> HearwireError:
    return HearwireError(grpc.StatusCode.INTERNAL, f"the server's reply contradicts itself: {what}")


def _check_count(found: int, asked: int) -> None:
    if found != asked:
        raise contradiction(f"it answers {found} clips of {asked}")


def _array(matrix: pb.Matrix) -> Floats:
    kinds = {pb.ELEMENT_TYPE_FLOAT32: "<f4", pb.ELEMENT_TYPE_FLOAT16: "<f2"}
    kind = kinds.get(matrix.element_type)
    if kind is None:
        raise contradiction(f"a matrix of the unknown element type {matrix.element_type}")
    dtype = np.dtype(kind)
    if len(matrix.data) != matrix.rows * matrix.columns * dtype.itemsize:
        raise contradiction(
            f"{matrix.rows} x {matrix.columns} values of {dtype.itemsize} bytes stand in {len(matrix.data)} bytes"
        )
    values = np.frombuffer(matrix.data, dtype).reshape(matrix.rows, matrix.columns)
    # A copy, in the machine's byte order, that the caller may write to.
    return values.astype(dtype.newbyteorder("="))


def timestamp_rows(clip: pb.TimestampEmbeddings) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Embeddings [timestamps, size], and the times in milliseconds [timestamps]."""
    embeddings = _array(clip.embeddings)
    if len(embeddings) != len(clip.timestamps_ms):
        raise contradiction(f"{len(clip.timestamps_ms)} timestamps for {len(embeddings)} embeddings")
    return embeddings, np.array(clip.timestamps_ms, np.float64)


def one_row(matrix: pb.Matrix) -> Floats:
    """[size], of a scene."""
    values = _array(matrix)
    if len(values) != 1:
        raise contradiction(f"{len(values)} rows for one scene")
    row: Floats = values[0]
    return row


def tag_list(tags: Iterable[pb.Tag]) -> list[Tag]:
    return [Tag(tag.index, tag.name, tag.probability) for tag in tags]


def head_answers(answers: Iterable[pb.HeadAnswer]) -> dict[str, HeadAnswer]:
    return {answer.head: _answer(answer) for answer in answers}


def space(message: pb.EmbeddingSpace) -> EmbeddingSpace:
    return EmbeddingSpace(message.config, message.weights_sha256, message.frontend, message.precision)


def _timings(timings: pb.Timings) -> Timings:
    return Timings(timings.total_ns / 1e9, timings.decode_ns / 1e9, timings.queue_ns / 1e9, timings.inference_ns / 1e9)


def _answer(answer: pb.HeadAnswer) -> HeadAnswer:
    rows = [LabelRow(row.timestamp_ms, _labels(row.labels)) for row in answer.rows]
    return HeadAnswer(_labels(answer.labels), rows)


def _labels(labels: Iterable[pb.Label]) -> list[Label]:
    return [Label(label.index, label.name, label.score) for label in labels]


def _head(head: pb.Head) -> HeadInfo:
    kinds = {pb.HEAD_KIND_SCENE: "scene", pb.HEAD_KIND_TIMESTAMPS: "timestamps"}
    if head.kind not in kinds:
        raise contradiction(f"the head {head.name} is of the unknown kind {head.kind}")
    return HeadInfo(
        name=head.name,
        config=head.config,
        kind=kinds[head.kind],
        labels=list(head.labels),
        multi_label=head.multi_label,
        space=space(head.space),
        sha256=head.sha256,
    )


def _config(config: pb.Config) -> ConfigInfo:
    return ConfigInfo(
        name=config.name,
        network=config.network,
        loaded=config.loaded,
        is_default=config.is_default,
        sample_rate=config.sample_rate,
        scene_embedding_size=config.scene_embedding_size,
        timestamp_embedding_size=config.timestamp_embedding_size,
        timestamp_window_ms=config.timestamp_window_ms,
        timestamp_hop_ms=config.timestamp_hop_ms,
        min_scene_samples=config.min_scene_samples,
        min_timestamp_samples=config.min_timestamp_samples,
        space=space(config.space) if config.HasField("space") else None,
    )
