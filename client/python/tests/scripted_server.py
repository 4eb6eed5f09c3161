"""A gRPC server whose answers a test scripts, to see what a client does with them."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Iterator
from typing import Any, Callable

import grpc
import numpy as np
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from hearwire.v1 import embedding_pb2 as pb
from hearwire.v1 import embedding_pb2_grpc


def scene_reply(request: Any) -> pb.GetSceneEmbeddingsResponse:
    """Two values for each clip: its place in the request, and how many bytes it has."""
    rows = np.array([[i, len(clip.pcm.samples) or len(clip.encoded)] for i, clip in enumerate(request.clips)], "<f4")
    matrix = pb.Matrix(rows=len(rows), columns=2, element_type=pb.ELEMENT_TYPE_FLOAT32, data=rows.tobytes())
    return pb.GetSceneEmbeddingsResponse(embeddings=matrix)


class ScriptedServer(embedding_pb2_grpc.EmbeddingServiceServicer):
    """`answer` is called on a thread of its own for every scene request, `stream` for every stream.

    `requests` counts both.
    """

    def __init__(self, max_request_bytes: int = -1) -> None:
        self.answer: Callable[[Any, grpc.ServicerContext], Any] = lambda request, context: scene_reply(request)
        self.stream: Callable[[Iterator[Any], grpc.ServicerContext], Iterator[Any]] = lambda requests, context: iter(())
        self.requests = 0
        self.lists = 0
        self.limits: Any = None  # What ListConfigs tells; None: there is no such method.
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(64), options=[("grpc.max_receive_message_length", max_request_bytes)]
        )
        embedding_pb2_grpc.add_EmbeddingServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def GetSceneEmbeddings(self, request, context):
        with self._lock:
            self.requests += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.answer(request, context)
        finally:
            with self._lock:
                self._at_once -= 1

    def StreamEmbeddings(self, requests, context):
        with self._lock:
            self.requests += 1
        yield from self.stream(requests, context)

    def ListConfigs(self, request, context):
        self.lists += 1
        if self.limits is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "no such method")
        return pb.ListConfigsResponse(limits=self.limits)

    def ListHeads(self, request, context):
        kinds = {"every50": pb.HEAD_KIND_TIMESTAMPS, "whole": pb.HEAD_KIND_SCENE}
        return pb.ListHeadsResponse(heads=[pb.Head(name=name, kind=kind) for name, kind in kinds.items()])

    def __enter__(self) -> ScriptedServer:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()


def fail(context: grpc.ServicerContext, code: grpc.StatusCode, message: str, details: list[Any], pushback_ms=None):
    """Ends the call with google.rpc details, as the real server does."""
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=code.value[0], message=message, details=packed)
    trailing = [("grpc-status-details-bin", status.SerializeToString()), ("x-request-id", "id-7")]
    if pushback_ms is not None:
        trailing.append(("grpc-retry-pushback-ms", str(pushback_ms)))
    context.set_trailing_metadata(trailing)
    context.abort(code, message)


def error_info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain="hearwire", metadata=metadata)


def retry_info(seconds: float) -> error_details_pb2.RetryInfo:
    delay = duration_pb2.Duration()
    delay.FromNanoseconds(int(seconds * 1e9))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def bad_request(field: str, description: str) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
    return error_details_pb2.BadRequest(field_violations=[violation])
