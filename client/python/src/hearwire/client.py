"""A client that waits for its replies. hearwire.AsyncClient is its twin for asyncio."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Optional, TypeVar

import grpc
import numpy as np
import numpy.typing as npt
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hearwire import _calls
from hearwire._calls import Call
from hearwire._client_base import ClientBase
from hearwire._in_order import Pending, Replies, check_in_flight, in_order
from hearwire._pieces import Piece, PieceReader, check_pieces
from hearwire._stream import Events, Stream
from hearwire._stream_state import make_ask
from hearwire.audio import Clip, Encoding
from hearwire.errors import from_rpc_error, request_id
from hearwire.replies import (
    Classifications,
    ConfigInfo,
    HeadInfo,
    SceneEmbeddings,
    ServingStatus,
    Tags,
    TimestampEmbeddings,
)
from hearwire.v1 import embedding_pb2_grpc

Reply = TypeVar("Reply")


class Client(ClientBase):
    """Audio in, embeddings and tags out. Thread-safe.

    server: HOST:PORT, https://HOST:PORT for TLS, or an address as gRPC writes it (unix:/path/to/socket,
        dns:///host:port); None: what HEARWIRE_SERVER names, else 127.0.0.1:8001. It is connected to with the first
        call. Several with commas between (a:8001,b:8001), or all addresses of a name (dns:///host:port): calls go in
        turn to those whose health says that they serve.
    deadline: seconds for a call that sets none of its own, retries included.
    max_attempts: how often a call is made at most, the first time included, 1 to 5. Calls that the server could not
        take (UNAVAILABLE, RESOURCE_EXHAUSTED) are made again within the deadline, after as long as the server asks.
    max_message_bytes: larger requests fail before they are sent. The server's limit is its --max-message-bytes.
    max_reply_bytes: larger replies fail with RESOURCE_EXHAUSTED. The server's limit is its --max-reply-bytes.

    roots: file of those who may have signed the server's certificate (PEM); HEARWIRE_ROOTS. None with https://: whom
        gRPC trusts.
    client_certificate: files of this client's own certificate and its key (PEM); HEARWIRE_CLIENT_CERT and _KEY.
    server_name: what the server's certificate must be for, where that is not the address; HEARWIRE_SERVER_NAME.
    credentials: gRPC's own, instead of roots and client_certificate.
    token: proves who calls; sent with every call, in "authorization: Bearer TOKEN", which can be read on the way without
        TLS. None: what HEARWIRE_TOKEN holds, or the file that HEARWIRE_TOKEN_FILE names.
    metadata: sent with every call. None: that of HEARWIRE_METADATA (NAME=VALUE, with commas between).

    A clip is a file's name, a file's bytes, a numpy array ([samples] or [samples, channels]; floats or int16) with
    sample_rate=, in hertz, or a hearwire.Audio. Calls raise HearwireError; TypeError, ValueError and OSError say that a
    clip could not even be sent. Replies of dtype float16 take half the bytes, rounded once by the server.
    """

    def _open(self) -> None:
        self._channel = self._connection.channel(self._options)
        self._stub: Any = self._connection.stub(embedding_pb2_grpc.EmbeddingServiceStub(self._channel))
        self._health: Any = self._connection.stub(health_pb2_grpc.HealthStub(self._channel))

    def get_scene_embeddings(
        self,
        clips: Iterable[Clip],
        config: str = "",
        *,
        sample_rate: Optional[int] = None,
        dtype: npt.DTypeLike = np.float32,
        deadline: Optional[float] = None,
    ) -> SceneEmbeddings:
        """One embedding for each clip, in one request: all clips are answered, or none. config "": the server's."""
        return self._run(_calls.scene_embeddings(clips, config, sample_rate, dtype), deadline)

    def get_timestamp_embeddings(
        self,
        clips: Iterable[Clip],
        config: str = "",
        *,
        sample_rate: Optional[int] = None,
        dtype: npt.DTypeLike = np.float32,
        deadline: Optional[float] = None,
    ) -> TimestampEmbeddings:
        """One embedding every 50 ms of each clip, in one request: all clips are answered, or none."""
        return self._run(_calls.timestamp_embeddings(clips, config, sample_rate, dtype), deadline)

    def get_tags(
        self,
        clips: Iterable[Clip],
        network: str = "",
        *,
        top_k: int = 0,
        sample_rate: Optional[int] = None,
        deadline: Optional[float] = None,
    ) -> Tags:
        """AudioSet's most probable classes for each clip; top_k=0: all of them. network "": the default config's."""
        return self._run(_calls.tags(clips, network, sample_rate, top_k), deadline)

    def classify(
        self,
        clips: Iterable[Clip],
        heads: Iterable[str] = (),
        *,
        top_k: int = 0,
        sample_rate: Optional[int] = None,
        deadline: Optional[float] = None,
    ) -> Classifications:
        """What heads say of each clip, the best labels first; top_k=0: all of them. heads (): all that are loaded."""
        return self._run(_calls.classify(clips, heads, sample_rate, top_k), deadline)

    def map_scene_embeddings(
        self,
        clips: Iterable[Clip],
        config: str = "",
        *,
        sample_rate: Optional[int] = None,
        dtype: npt.DTypeLike = np.float32,
        deadline: Optional[float] = None,
        in_flight: int = 16,
        progress: bool = True,
    ) -> Replies[SceneEmbeddings]:
        """A request for each clip, `in_flight` of them at once; yields their replies in the order of the clips.

        Clips are read as they are needed. progress: a bar on standard error, if that is a terminal.
        """
        return self._map(
            clips,
            lambda clip: _calls.scene_embeddings([clip], config, sample_rate, dtype),
            deadline,
            in_flight,
            progress,
        )

    def map_timestamp_embeddings(
        self,
        clips: Iterable[Clip],
        config: str = "",
        *,
        sample_rate: Optional[int] = None,
        dtype: npt.DTypeLike = np.float32,
        deadline: Optional[float] = None,
        in_flight: int = 16,
        progress: bool = True,
    ) -> Replies[TimestampEmbeddings]:
        """As map_scene_embeddings."""
        return self._map(
            clips,
            lambda clip: _calls.timestamp_embeddings([clip], config, sample_rate, dtype),
            deadline,
            in_flight,
            progress,
        )

    def map_tags(
        self,
        clips: Iterable[Clip],
        network: str = "",
        *,
        top_k: int = 0,
        sample_rate: Optional[int] = None,
        deadline: Optional[float] = None,
        in_flight: int = 16,
        progress: bool = True,
    ) -> Replies[Tags]:
        """As map_scene_embeddings."""
        return self._map(
            clips, lambda clip: _calls.tags([clip], network, sample_rate, top_k), deadline, in_flight, progress
        )

    def map_classify(
        self,
        clips: Iterable[Clip],
        heads: Iterable[str] = (),
        *,
        top_k: int = 0,
        sample_rate: Optional[int] = None,
        deadline: Optional[float] = None,
        in_flight: int = 16,
        progress: bool = True,
    ) -> Replies[Classifications]:
        """As map_scene_embeddings."""
        names = heads if isinstance(heads, str) else list(heads)
        return self._map(
            clips, lambda clip: _calls.classify([clip], names, sample_rate, top_k), deadline, in_flight, progress
        )

    def stream(
        self,
        pieces: Iterable[Piece],
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
    ) -> Events:
        """Audio of any length, in pieces; yields what the server answers while more pieces are read.

        pieces: numpy arrays ([samples] or [samples, channels]; floats or int16), all of one kind, or bytes of samples
            with encoding= and channels=. They are read by a thread of their own, and may block; no faster than the
            server takes them.
        timestamps: a row every 50 ms; None: unless something else is asked for. scenes: an embedding of each scene
            window, and the whole recording's at the end. tags_top_k: so many tags of each scene window and of the
            whole recording. heads: their answers, with heads_top_k labels; 0: all.
        config "": that of the heads where heads are named, else the server's.
        first_sample: index in the recording of the first sample, for one that is continued: times count from the
            recording's start; rows whose window begins before it do not come.
        resume: a server that ends the stream with UNAVAILABLE (it drains, or has died), or because nothing was sent for
            long, does not end it for the caller: another call goes on where it ended, and no row is missing or comes
            twice. max_resumes: how often in a row in vain. The audio that may have to be sent again is kept: 60 s at
            most.
        idle_timeout: seconds; DEADLINE_EXCEEDED when the server neither takes audio nor answers for so long.
        deadline: seconds, of the whole stream; None: none.

        The first event is StreamStarted, the last one StreamSummary; between them come ClipTimestampEmbeddings,
        SceneWindow and HeadRows. Raises HearwireError, and what the source raises. Leaving early cancels the stream.
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
        self._check_open()
        stream = Stream(self._stub, self.server, self._deadline, ask, reader)
        return Events(stream.events(check_pieces(pieces)))

    def list_configs(self, loaded_only: bool = False, *, deadline: Optional[float] = None) -> list[ConfigInfo]:
        """What the server knows, or what it serves."""
        return self._run(_calls.configs(loaded_only), deadline)

    def list_heads(self, *, deadline: Optional[float] = None) -> list[HeadInfo]:
        """The heads that the server has loaded, by name."""
        return self._run(_calls.heads(), deadline)

    def check_health(self, service: str = "", *, deadline: Optional[float] = None) -> ServingStatus:
        """The server's own word on its health, never asked for twice. service "": the whole server."""
        seconds = self._seconds(deadline)
        self._check_open()
        try:
            reply = self._health.Check(health_pb2.HealthCheckRequest(service=service), timeout=seconds)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.server, seconds) from None
        except ValueError:
            self._check_open()  # Closed since.
            raise
        return ServingStatus(reply.status)

    def close(self) -> None:
        """Ends the connection; calls under way, and those made later, end with CANCELLED."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, call: Call[Reply], deadline: Optional[float]) -> Reply:
        return self._start(call, self._seconds(deadline)).finish()

    def _start(self, call: Call[Reply], seconds: float) -> Pending[Reply]:
        call.check_size(self._max_message_bytes)
        self._check_open()
        try:
            rpc = getattr(self._stub, call.method).future(call.request, timeout=seconds)
        except ValueError:
            self._check_open()  # Closed since.
            raise

        def finish() -> Reply:
            try:
                reply = rpc.result()
            except grpc.RpcError as error:
                raise from_rpc_error(error, self.server, seconds) from None
            except BaseException:
                rpc.cancel()
                raise
            return call.decode(reply, request_id(rpc.initial_metadata(), rpc.trailing_metadata()))

        return Pending(rpc, finish)

    def _map(
        self,
        clips: Iterable[Clip],
        call: Callable[[Clip], Call[Reply]],
        deadline: Optional[float],
        in_flight: int,
        progress: bool,
    ) -> Replies[Reply]:
        seconds = self._seconds(deadline)

        def start(clip: Clip) -> Pending[Reply]:
            try:
                return self._start(call(clip), seconds)
            except Exception as error:
                failed: concurrent.futures.Future[Reply] = concurrent.futures.Future()
                failed.set_exception(error)
                return Pending(failed, failed.result)

        results = in_order(_calls.check_clips(clips), start, check_in_flight(in_flight), progress)
        return Replies(results)
