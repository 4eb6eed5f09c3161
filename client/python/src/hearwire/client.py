"""A client that waits for its replies. hearwire.AsyncClient is its twin for asyncio."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, Optional, TypeVar

import grpc
import numpy as np
import numpy.typing as npt
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hearwire import _admin, _calls
from hearwire._calls import Call
from hearwire._client_base import ClientBase
from hearwire._in_order import Pending, Replies, check_in_flight, in_order
from hearwire._pieces import Piece, PieceReader, check_pieces
from hearwire._stream import Events, Stream
from hearwire._stream_state import make_ask
from hearwire.admin.v1 import admin_pb2_grpc
from hearwire.audio import Clip, Encoding
from hearwire.errors import HearwireError, from_rpc_error, request_id
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


class Client(ClientBase):
    """Audio in, embeddings and tags out. Thread-safe.

    server: HOST:PORT, https://HOST:PORT for TLS, or an address as gRPC writes it (unix:/path/to/socket,
        dns:///host:port); None: what HEARWIRE_SERVER names, else 127.0.0.1:8001. It is connected to with the first
        call. Several with commas between (a:8001,b:8001), or all addresses of a name (dns:///host:port): calls go in
        turn to those whose health says that they serve.
    deadline: seconds for a call that sets none of its own, retries included.
    max_attempts: how often a call is made at most, the first time included, 1 to 5. Calls that the server could not
        take (UNAVAILABLE, RESOURCE_EXHAUSTED) are made again within the deadline, after as long as the server asks.
    max_message_bytes: larger requests fail before they are sent. So do those over the server's own limit, its
        --max-message-bytes: it is asked for it before a request of more than 1 MiB.
    max_reply_bytes: larger replies fail with RESOURCE_EXHAUSTED. The server's limit is its --max-reply-bytes.

    roots: file of those who may have signed the server's certificate (PEM); HEARWIRE_ROOTS. None with https://: whom
        gRPC trusts.
    client_certificate: files of this client's own certificate and its key (PEM); HEARWIRE_CLIENT_CERT and _KEY.
    server_name: what the server's certificate must be for, where that is not the address; HEARWIRE_SERVER_NAME.
    credentials: gRPC's own, instead of roots and client_certificate.
    token: proves who calls; sent with every call, in "authorization: Bearer TOKEN", which can be read on the way without
        TLS. None: what HEARWIRE_TOKEN holds, or the file that HEARWIRE_TOKEN_FILE names.
    metadata: sent with every call. None: that of HEARWIRE_METADATA (NAME=VALUE, with commas between).

    A clip is a file's name, a file's bytes or an open binary file, or samples with sample_rate=, in hertz: a numpy array,
    a tensor, a pandas Series or a list ([samples] or [samples, channels]; floats or int16); or a hearwire.Audio. Calls
    raise HearwireError; TypeError, ValueError and OSError say that a clip could not even be sent. Replies of dtype float16
    take half the bytes, rounded once by the server.

    Every call takes deadline= (seconds) and metadata=, which goes before the client's own: metadata={"x-request-id": ID}
    names the call in the server's log and in the reply.

    A client may be pickled: what is unpickled, in another process too, connects anew to the same servers.
    """

    def _open(self) -> None:
        self._channel = self._connection.channel(self._options)
        self._embedding = embedding_pb2_grpc.EmbeddingServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._admin = admin_pb2_grpc.AdminServiceStub(self._channel)

    def get_scene_embeddings(
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
        return self._run(_calls.scene_embeddings(clips, config, sample_rate, dtype), deadline, metadata)

    def get_timestamp_embeddings(
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
        return self._run(_calls.timestamp_embeddings(clips, config, sample_rate, dtype), deadline, metadata)

    def get_tags(
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
        return self._run(_calls.tags(clips, network, sample_rate, top_k), deadline, metadata)

    def classify(
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
        return self._run(_calls.classify(clips, heads, sample_rate, top_k), deadline, metadata)

    def map_scene_embeddings(
        self,
        clips: Iterable[Clip],
        config: str = "",
        *,
        sample_rate: Optional[int] = None,
        dtype: npt.DTypeLike = np.float32,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
        in_flight: int = 16,
        progress: Optional[bool] = None,
    ) -> Replies[SceneEmbeddings]:
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
        clips: Iterable[Clip],
        config: str = "",
        *,
        sample_rate: Optional[int] = None,
        dtype: npt.DTypeLike = np.float32,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
        in_flight: int = 16,
        progress: Optional[bool] = None,
    ) -> Replies[TimestampEmbeddings]:
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
        clips: Iterable[Clip],
        network: str = "",
        *,
        top_k: int = 5,
        sample_rate: Optional[int] = None,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
        in_flight: int = 16,
        progress: Optional[bool] = None,
    ) -> Replies[Tags]:
        """As map_scene_embeddings."""
        return self._map(
            clips, lambda clip: _calls.tags([clip], network, sample_rate, top_k), deadline, metadata, in_flight, progress
        )

    def map_classify(
        self,
        clips: Iterable[Clip],
        heads: Iterable[str] = (),
        *,
        top_k: int = 0,
        sample_rate: Optional[int] = None,
        deadline: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
        in_flight: int = 16,
        progress: Optional[bool] = None,
    ) -> Replies[Classifications]:
        """As map_scene_embeddings."""
        names = heads if isinstance(heads, str) else list(heads)
        return self._map(
            clips, lambda clip: _calls.classify([clip], names, sample_rate, top_k), deadline, metadata, in_flight, progress
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
        metadata: Optional[Mapping[str, str]] = None,
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
            long, or a proxy that ends it with CANCELLED in the server's place, does not end it for the caller: another
            call goes on where it ended, and no row is missing or comes twice. max_resumes: how often in a row in vain.
            The audio that may have to be sent again is kept: 60 s at most.
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
        stub = self._connection.stub(self._embedding, metadata)
        stream = Stream(stub, self.server, self._deadline, ask, reader, lambda: self._closed)
        return Events(stream.events(check_pieces(pieces)))

    def list_configs(
        self, loaded_only: bool = False, *, deadline: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None
    ) -> list[ConfigInfo]:
        """What the server knows, or what it serves."""
        return self._run(_calls.configs(loaded_only), deadline, metadata)

    def get_limits(
        self, *, deadline: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None
    ) -> ServerLimits:
        """What the server takes at most."""
        return self._run(_calls.limits(), deadline, metadata)

    def list_heads(
        self, *, deadline: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None
    ) -> list[HeadInfo]:
        """The heads that the server has loaded, by name."""
        return self._run(_calls.heads(), deadline, metadata)

    def check_health(
        self, service: str = "", *, deadline: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None
    ) -> ServingStatus:
        """The server's own word on its health, never asked for twice. service "": the whole server."""
        request = health_pb2.HealthCheckRequest(service=service)
        return ServingStatus(self._ask(self._health, "Check", request, deadline, metadata).status)

    def reload(
        self, *, deadline: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None
    ) -> ReloadChanges:
        """For the server's operator: has it read checkpoints, heads, certificates and tokens again, and waits until they
        are served.

        Never asked for twice. HearwireError of FAILED_PRECONDITION: a file will not do, which the message names, and what
        was served is served on; of PERMISSION_DENIED: it says who may. ValueError: the client is one of several servers.
        """
        request = _admin.reload_request(self._connection)
        return _admin.reload_changes(self._ask(self._admin, "Reload", request, deadline, metadata))

    def close(self) -> None:
        """Ends the connection; calls under way, and those made later, end with CANCELLED."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(
        self, stub: Any, method: str, request: Any, deadline: Optional[float], metadata: Optional[Mapping[str, str]]
    ) -> Any:
        """Of another service than that of embeddings."""
        seconds = self._seconds(deadline)
        self._check_open()
        try:
            return getattr(self._connection.stub(stub, metadata), method)(request, timeout=seconds)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.server, seconds) from None
        except ValueError:
            self._check_open()  # Closed since.
            raise

    def _run(
        self, call: Call[Reply], deadline: Optional[float], metadata: Optional[Mapping[str, str]] = None
    ) -> Reply:
        return self._start(call, self._seconds(deadline), metadata).finish()

    def _start(self, call: Call[Reply], seconds: float, metadata: Optional[Mapping[str, str]]) -> Pending[Reply]:
        size = call.check_size(self._max_message_bytes)
        self._check_open()
        until = time.monotonic() + seconds
        if self._limit.must_ask(size):
            self._ask_for_limit(size, seconds, metadata)
        stub = self._connection.stub(self._embedding, metadata)
        try:
            rpc = getattr(stub, call.method).future(call.request, timeout=until - time.monotonic())
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

    def _ask_for_limit(self, size: int, seconds: float, metadata: Optional[Mapping[str, str]]) -> None:
        try:
            self._limit.learn(self._start(_calls.limits(), seconds, metadata).finish().max_message_bytes)
        except HearwireError as error:
            self._limit.learn_failure(error)
        self._limit.check(size, self.server)

    def _map(
        self,
        clips: Iterable[Clip],
        call: Callable[[Clip], Call[Reply]],
        deadline: Optional[float],
        metadata: Optional[Mapping[str, str]],
        in_flight: int,
        progress: Optional[bool],
    ) -> Replies[Reply]:
        seconds = self._seconds(deadline)

        def start(clip: Clip) -> Pending[Reply]:
            try:
                return self._start(call(clip), seconds, metadata)
            except Exception as error:
                failed: concurrent.futures.Future[Reply] = concurrent.futures.Future()
                failed.set_exception(error)
                return Pending(failed, failed.result)

        results = in_order(_calls.check_clips(clips), start, check_in_flight(in_flight), progress)
        return Replies(results)
