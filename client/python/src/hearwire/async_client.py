"""The client for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, Callable, Optional, TypeVar, Union

import grpc
import numpy as np
import numpy.typing as npt
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hearwire import _admin, _calls
from hearwire._async_stream import AsyncEvents, AsyncStream
from hearwire._calls import Call
from hearwire._client_base import ClientBase
from hearwire._in_order import AsyncReplies, check_in_flight, in_order_async
from hearwire._pieces import Piece, PieceReader, check_pieces
from hearwire._stream_state import make_ask
from hearwire.admin.v1 import admin_pb2_grpc
from hearwire.audio import Clip, Encoding
from hearwire.errors import HearwireError, closed_error, from_rpc_error, request_id
from hearwire.replies import (
    Classifications,
    ConfigInfo,
    HeadInfo,
    ReloadChanges,
    SceneEmbeddings,
    ServerLimits,
    ServingStatus,
    Tags,
    TimestampEmbeddings,
)
from hearwire.v1 import embedding_pb2_grpc

Reply = TypeVar("Reply")


class AsyncClient(ClientBase):
    """hearwire.Client's twin, with the same arguments. Belongs to one event loop, that of its first call."""

    def _open(self) -> None:
        self._channel: Any = None  # Made in the loop of the first call.

    async def get_scene_embeddings(
        self,
        clips: Iterable[Clip],
        config: str = "",
        *,
        sample_rate: Optional[int] = None,
        dtype: npt.DTypeLike = np.float32,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
    ) -> SceneEmbeddings:
        """One embedding for each clip, in one request: all clips are answered, or none. config "": the server's."""
        return await self._run(lambda: _calls.scene_embeddings(clips, config, sample_rate, dtype), deadline, metadata)

    async def get_timestamp_embeddings(
        self,
        clips: Iterable[Clip],
        config: str = "",
        *,
        sample_rate: Optional[int] = None,
        dtype: npt.DTypeLike = np.float32,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
    ) -> TimestampEmbeddings:
        """One embedding every 50 ms of each clip, in one request: all clips are answered, or none."""
        return await self._run(lambda: _calls.timestamp_embeddings(clips, config, sample_rate, dtype), deadline, metadata)

    async def get_tags(
        self,
        clips: Iterable[Clip],
        network: str = "",
        *,
        top_k: int = 5,
        sample_rate: Optional[int] = None,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
    ) -> Tags:
        """A network's most probable classes for each clip; top_k=0: all, mostly 527. network "": the default config's."""
        return await self._run(lambda: _calls.tags(clips, network, sample_rate, top_k), deadline, metadata)

    async def classify(
        self,
        clips: Iterable[Clip],
        heads: Iterable[str] = (),
        *,
        top_k: int = 0,
        sample_rate: Optional[int] = None,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
    ) -> Classifications:
        """What heads say of each clip, the best labels first; top_k=0: all of them. heads (): all that are loaded."""
        return await self._run(lambda: _calls.classify(clips, heads, sample_rate, top_k), deadline, metadata)

    def map_scene_embeddings(
        self,
        clips: Union[Iterable[Clip], AsyncIterable[Clip]],
        config: str = "",
        *,
        sample_rate: Optional[int] = None,
        dtype: npt.DTypeLike = np.float32,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
        in_flight: int = 16,
        progress: Optional[bool] = None,
    ) -> AsyncReplies[SceneEmbeddings]:
        """A request for each clip, `in_flight` of them at once; yields their replies in the order of the clips.

        Clips are read as they are needed. progress: a bar, in notebooks too; None: on standard error, if that is a terminal.
        """
        return self._map(
            clips,
            lambda clip: _calls.scene_embeddings([clip], config, sample_rate, dtype),
            deadline,
            metadata,
            in_flight,
            progress,
        )

    def map_timestamp_embeddings(
        self,
        clips: Union[Iterable[Clip], AsyncIterable[Clip]],
        config: str = "",
        *,
        sample_rate: Optional[int] = None,
        dtype: npt.DTypeLike = np.float32,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
        in_flight: int = 16,
        progress: Optional[bool] = None,
    ) -> AsyncReplies[TimestampEmbeddings]:
        """As map_scene_embeddings."""
        return self._map(
            clips,
            lambda clip: _calls.timestamp_embeddings([clip], config, sample_rate, dtype),
            deadline,
            metadata,
            in_flight,
            progress,
        )

    def map_tags(
        self,
        clips: Union[Iterable[Clip], AsyncIterable[Clip]],
        network: str = "",
        *,
        top_k: int = 5,
        sample_rate: Optional[int] = None,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
        in_flight: int = 16,
        progress: Optional[bool] = None,
    ) -> AsyncReplies[Tags]:
        """As map_scene_embeddings."""
        return self._map(
            clips, lambda clip: _calls.tags([clip], network, sample_rate, top_k), deadline, metadata, in_flight, progress
        )

    def map_classify(
        self,
        clips: Union[Iterable[Clip], AsyncIterable[Clip]],
        heads: Iterable[str] = (),
        *,
        top_k: int = 0,
        sample_rate: Optional[int] = None,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
        in_flight: int = 16,
        progress: Optional[bool] = None,
    ) -> AsyncReplies[Classifications]:
        """As map_scene_embeddings."""
        names = heads if isinstance(heads, str) else list(heads)
        return self._map(
            clips, lambda clip: _calls.classify([clip], names, sample_rate, top_k), deadline, metadata, in_flight, progress
        )

    def stream(
        self,
        pieces: Union[Iterable[Piece], AsyncIterable[Piece]],
        sample_rate: int,
        config: str = "",
        *,
        encoding: Optional[Encoding] = None,
        channels: Optional[int] = None,
        timestamps: Optional[bool] = None,
        scenes: bool = False,
        tags_top_k: int = 0,
        heads: Sequence[str] = (),
        heads_top_k: int = 0,
        dtype: npt.DTypeLike = np.float32,
        first_sample: int = 0,
        resume: bool = False,
        max_resumes: int = 10,
        idle_timeout: float = 30.0,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
    ) -> AsyncEvents:
        """Audio of any length, in pieces; yields what the server answers while more pieces are read.

        As Client.stream. The source may be asynchronous; one that is not may block, and not the loop.
        """
        ask = make_ask(
            sample_rate,
            config,
            timestamps,
            scenes,
            tags_top_k,
            heads,
            heads_top_k,
            dtype,
            first_sample,
            resume,
            max_resumes,
            idle_timeout,
            deadline,
        )
        reader = PieceReader(encoding, channels)

        def stub() -> Any:
            return self._connection.stub(embedding_pb2_grpc.EmbeddingServiceStub(self._connected()), metadata)

        stream = AsyncStream(stub, self.server, self._deadline, ask, reader, lambda: self._closed)
        return AsyncEvents(stream.events(check_pieces(pieces)))

    async def list_configs(
        self, loaded_only: bool = False, *, deadline: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None
    ) -> list[ConfigInfo]:
        """What the server knows, or what it serves."""
        return await self._run(lambda: _calls.configs(loaded_only), deadline, metadata)

    async def get_limits(
        self, *, deadline: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None
    ) -> ServerLimits:
        """What the server takes at most."""
        return await self._run(lambda: _calls.limits(), deadline, metadata)

    async def list_heads(
        self, *, deadline: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None
    ) -> list[HeadInfo]:
        """The heads that the server has loaded, by name."""
        return await self._run(lambda: _calls.heads(), deadline, metadata)

    async def check_health(
        self, service: str = "", *, deadline: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None
    ) -> ServingStatus:
        """The server's own word on its health, never asked for twice. service "": the whole server."""
        stub = self._connection.stub(health_pb2_grpc.HealthStub(self._connected()), metadata)
        seconds = self._seconds(deadline)
        reply = await self._reply(stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=seconds), seconds)
        return ServingStatus(reply.status)

    async def reload(
        self, *, deadline: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None
    ) -> ReloadChanges:
        """As Client.reload."""
        request = _admin.reload_request(self._connection)
        stub = self._connection.stub(admin_pb2_grpc.AdminServiceStub(self._connected()), metadata)
        seconds = self._seconds(deadline)
        return _admin.reload_changes(await self._reply(stub.Reload(request, timeout=seconds), seconds))

    async def close(self) -> None:
        """Ends the connection; calls under way, and those made later, end with CANCELLED."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _connected(self) -> Any:
        self._check_open()
        # A channel of gRPC's binds itself to the loop that runs when it is made.
        if self._channel is None:
            self._channel = self._connection.aio_channel(self._options)
        return self._channel

    async def _run(
        self,
        make: Callable[[], Call[Reply]],
        deadline: Optional[float],
        metadata: Optional[Mapping[str, str]] = None,
    ) -> Reply:
        seconds = self._seconds(deadline)
        # Reads files and copies samples: not on the loop.
        call = await asyncio.get_running_loop().run_in_executor(None, make)
        size = call.check_size(self._max_message_bytes)
        until = time.monotonic() + seconds
        if self._limit.must_ask(size):
            await self._ask_for_limit(size, seconds, metadata)
        stub = self._connection.stub(embedding_pb2_grpc.EmbeddingServiceStub(self._connected()), metadata)
        rpc = getattr(stub, call.method)(call.request, timeout=until - time.monotonic())
        reply = await self._reply(rpc, seconds)
        return call.decode(reply, request_id(await rpc.initial_metadata(), await rpc.trailing_metadata()))

    async def _ask_for_limit(self, size: int, seconds: float, metadata: Optional[Mapping[str, str]]) -> None:
        try:
            self._limit.learn((await self._run(lambda: _calls.limits(), seconds, metadata)).max_message_bytes)
        except HearwireError as error:
            self._limit.learn_failure(error)
        self._limit.check(size, self.server)

    async def _reply(self, rpc: Any, seconds: float) -> Any:
        try:
            return await rpc
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self.server, seconds) from None
        except asyncio.CancelledError:
            # gRPC says this to the calls of a channel that is closed too. Python before 3.11 cannot tell the two apart.
            cancelling = getattr(asyncio.current_task(), "cancelling", None)
            if not self._closed or cancelling is None or cancelling():
                raise
            raise closed_error(self.server) from None

    def _map(
        self,
        clips: Union[Iterable[Clip], AsyncIterable[Clip]],
        call: Callable[[Clip], Call[Reply]],
        deadline: Optional[float],
        metadata: Optional[Mapping[str, str]],
        in_flight: int,
        progress: Optional[bool],
    ) -> AsyncReplies[Reply]:
        async def run(clip: Clip) -> Reply:
            return await self._run(lambda: call(clip), deadline, metadata)

        self._seconds(deadline)
        return AsyncReplies(in_order_async(_calls.check_clips(clips), run, check_in_flight(in_flight), progress))
