"""A StreamEmbeddings call made from nothing but the proto: messages in, answers out."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Iterable, Iterator

import grpc
import numpy as np
from google.rpc import error_details_pb2, status_pb2

from hearwire_server import PATIENCE, array, pb

SECOND = 4 * 32000  # Bytes of float32 at 32 kHz.


def bytes_of(samples: np.ndarray) -> bytes:
    return np.ascontiguousarray(samples, dtype="<f4").tobytes()


def unary(server, clip):
    """What the unary calls answer: timestamps, scene, the five likeliest tags."""
    stamps = server.stub.GetTimestampEmbeddings(pb.GetTimestampEmbeddingsRequest(clips=[clip]), timeout=60 * PATIENCE)
    scene = server.stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(clips=[clip]), timeout=60 * PATIENCE)
    tags = server.stub.GetTags(pb.GetTagsRequest(clips=[clip], top_k=5), timeout=60 * PATIENCE)
    return stamps.clips[0], scene, tags.clips[0].tags


def start(rate: int = 32000, encoding: int = pb.Pcm.ENCODING_FLOAT32, **what) -> "pb.StreamEmbeddingsRequest":
    return pb.StreamEmbeddingsRequest(start=pb.StreamStart(encoding=encoding, sample_rate_hertz=rate, **what))


def piece(data: bytes) -> "pb.StreamEmbeddingsRequest":
    return pb.StreamEmbeddingsRequest(samples=data)


def pieces(data: bytes, size: int) -> Iterator["pb.StreamEmbeddingsRequest"]:
    for begin in range(0, len(data), size):
        yield piece(data[begin : begin + size])


@dataclasses.dataclass
class Answer:
    """What a stream has answered, to its end."""

    messages: list
    error: grpc.RpcError | None

    def of(self, kind: str) -> list:
        return [getattr(m, kind) for m in self.messages if m.WhichOneof("response") == kind]

    @property
    def rows(self) -> np.ndarray:
        return np.concatenate([array(t.embeddings) for t in self.of("timestamps")] or [np.empty((0, 0))])

    @property
    def timestamps_ms(self) -> list[float]:
        return [ms for t in self.of("timestamps") for ms in t.timestamps_ms]

    @property
    def summary(self) -> "pb.StreamSummary":
        (summary,) = self.of("summary")
        assert self.messages[-1].WhichOneof("response") == "summary"
        return summary

    @property
    def code(self) -> str:
        return "OK" if self.error is None else self.error.code().name

    def reason(self) -> str:
        return error_info(self.error).reason

    def facts(self) -> dict[str, str]:
        return dict(error_info(self.error).metadata)


def _detail(error: grpc.RpcError, kind):
    """The google.rpc detail of that kind."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for packed in status_pb2.Status.FromString(value).details:
            if packed.Is(kind.DESCRIPTOR):
                return kind.FromString(packed.value)
    raise AssertionError(f"no {kind.__name__} with {error}")


def error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    return _detail(error, error_details_pb2.ErrorInfo)


def field_of(error: grpc.RpcError) -> str:
    return _detail(error, error_details_pb2.BadRequest).field_violations[0].field


def stream(server, messages: Iterable, timeout: float = 60) -> Answer:
    """Sends all, and takes every answer to the end."""
    call = server.stub.StreamEmbeddings(iter(messages), timeout=timeout * PATIENCE)
    answers = []
    try:
        answers.extend(call)
    except grpc.RpcError as error:
        return Answer(answers, error)
    return Answer(answers, None)


class OpenStream:
    """A stream that is fed by hand."""

    def __init__(self, server, first: "pb.StreamEmbeddingsRequest", timeout: float = 60, metadata=None):
        self._to_send: queue.Queue = queue.Queue()
        self._answers: queue.Queue = queue.Queue()
        self.messages: list = []
        self.call = server.stub.StreamEmbeddings(
            iter(self._to_send.get, None), timeout=timeout * PATIENCE, metadata=metadata
        )
        threading.Thread(target=self._receive, daemon=True).start()
        self.send(first)

    def _receive(self) -> None:
        try:
            for message in self.call:
                self._answers.put(message)
            self._answers.put(None)
        except grpc.RpcError as error:
            self._answers.put(error)

    def send(self, message: "pb.StreamEmbeddingsRequest") -> None:
        self._to_send.put(message)

    def half_close(self) -> None:
        self._to_send.put(None)

    def next(self, seconds: float = 20):
        """The next message; None or an error at the end."""
        answer = self._answers.get(timeout=seconds * PATIENCE)
        if isinstance(answer, pb.StreamEmbeddingsResponse):
            self.messages.append(answer)
        return answer

    def end(self) -> Answer:
        while isinstance(last := self.next(), pb.StreamEmbeddingsResponse):
            pass
        return Answer(self.messages, last)
