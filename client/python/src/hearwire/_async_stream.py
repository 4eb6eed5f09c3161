"""A stream, over all its calls, on an event loop. One task reads the source; one for each call sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Any, Callable, Optional, Union

import grpc

from hearwire._pieces import Piece, PieceReader
from hearwire._stream_state import Ask, StreamState, late_error, no_summary_error, timestamp_heads
from hearwire.errors import HearwireError, from_rpc_error
from hearwire.replies import StreamEvent
from hearwire.v1 import embedding_pb2 as pb

_END = object()


class AsyncEvents(AsyncIterator[StreamEvent]):
    """A stream's events. A failure raises, and ends it."""

    def __init__(self, events: AsyncGenerator[StreamEvent, None]):
        self._events = events

    async def __anext__(self) -> StreamEvent:
        return await self._events.__anext__()

    async def aclose(self) -> None:
        """Cancels the stream, unless it has ended."""
        await self._events.aclose()


class AsyncStream:
    def __init__(
        self,
        stub: Callable[[], Any],
        server: str,
        deadline: float,
        ask: Ask,
        reader: PieceReader,
        is_closed: Callable[[], bool],
    ):
        """stub: called on the loop. deadline: seconds, of what is asked before the stream. is_closed: whether the client
        is: nothing goes on then."""
        self._make_stub, self._server, self._deadline, self._ask, self._reader = stub, server, deadline, ask, reader
        self._is_closed = is_closed
        self._stub: Any = None
        self._heads: list[str] = []
        self._state: Optional[StreamState] = None
        self._changed: asyncio.Event  # Set, and made anew, with every change.
        self._source: Optional[asyncio.Task[None]] = None
        self._sent = 0
        self._progress = 0.0

    async def events(
        self, pieces: Union[Iterable[Piece], AsyncIterable[Piece]]
    ) -> AsyncGenerator[StreamEvent, None]:
        ends_at = None if self._ask.deadline is None else time.monotonic() + self._ask.deadline
        self._changed = asyncio.Event()  # Belongs to the loop that runs now.
        try:
            self._stub = self._make_stub()
            if self._ask.heads:
                self._heads = timestamp_heads(self._ask, await self._list_heads())
            self._source = asyncio.create_task(self._read_source(pieces))
            self._source.add_done_callback(lambda _: self._notify())
            while self._state is None:
                if self._source.done():
                    self._source.result()
                await self._wait()
            state, first = self._state, self._ask.first_sample
            while True:
                opened = time.monotonic()
                try:
                    events = self._run_call(state, first, ends_at)
                    try:
                        async for event in events:
                            yield event
                    finally:
                        await events.aclose()
                    return
                except HearwireError as error:
                    again = None if self._is_closed() else state.resume_after(error, time.monotonic() - opened)
                    if again is None:
                        raise
                    first, pause = again
                    if ends_at is not None and time.monotonic() + pause > ends_at:
                        raise
                    await asyncio.sleep(pause)
        finally:
            if self._source is not None:
                self._source.cancel()
                await asyncio.gather(self._source, return_exceptions=True)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self) -> None:
        await self._changed.wait()

    async def _list_heads(self) -> Any:
        try:
            return await self._stub.ListHeads(pb.ListHeadsRequest(), timeout=self._deadline)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self._server, self._deadline) from None

    async def _run_call(
        self, state: StreamState, first_sample: int, ends_at: Optional[float]
    ) -> AsyncGenerator[StreamEvent, None]:
        self._sent = state.on_new_call(first_sample)
        self._progress = time.monotonic()
        left = None if ends_at is None else max(ends_at - time.monotonic(), 0.001)
        call = self._stub.StreamEmbeddings(timeout=left)
        sender = asyncio.create_task(self._send(call, state, first_sample))
        try:
            while True:
                message = await self._next_message(call, state)
                if message is grpc.aio.EOF:
                    break
                if not state.call_started:
                    state.ahead.on_initial_metadata(await call.initial_metadata())
                event = state.accept(message, self._sent)
                self._notify()
                if event is not None:
                    yield event
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self._server, left or 0.0) from None
        finally:
            sender.cancel()
            call.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        if not state.summarised:
            raise no_summary_error()

    async def _next_message(self, call: Any, state: StreamState) -> Any:
        self._progress = time.monotonic()
        reading = asyncio.ensure_future(call.read())
        try:
            while not reading.done():
                if self._source is not None and self._source.done():
                    self._source.result()  # What the source raised.
                left: Optional[float] = None
                if not state.call_started or state.finished or state.full or self._sent < state.end:
                    left = self._progress + self._ask.idle_timeout - time.monotonic()
                    if left <= 0:
                        raise late_error(self._server, self._ask.idle_timeout)
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait({reading, changed}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
            return reading.result()
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _send(self, call: Any, state: StreamState, first_sample: int) -> None:
        """Ends when the call does: its reader learns why."""
        try:
            await call.wait_for_connection()
            await _write(call, self._ask.start(state.format, first_sample))
            while True:
                while not (piece := state.piece(self._sent)) and not state.all_sent(self._sent):
                    await self._wait()
                if not piece:
                    await call.done_writing()
                    return
                await _write(call, pb.StreamEmbeddingsRequest(samples=piece))
                self._sent += len(piece)
                state.on_sent(self._sent)
                self._progress = time.monotonic()
                self._notify()
        except (grpc.RpcError, grpc.aio.InternalError, asyncio.InvalidStateError):
            pass

    async def _read_source(self, pieces: Union[Iterable[Piece], AsyncIterable[Piece]]) -> None:
        if self._reader.format is not None:
            self._know_format()
        source = _async_pieces(pieces)
        try:
            async for piece in source:
                data = self._reader.read(piece)
                state = self._know_format()
                while state.full:
                    await self._wait()
                state.append(data)
                self._progress = time.monotonic()
                self._notify()
                end = state.end
                while self._sent < end:
                    await self._wait()
        finally:
            await source.aclose()
        self._know_format().finished = True
        self._progress = time.monotonic()
        self._notify()

    def _know_format(self) -> StreamState:
        if self._state is None:
            self._state = StreamState(self._ask, self._reader.known_format(), self._heads)
            self._notify()
        return self._state


async def _write(call: Any, request: pb.StreamEmbeddingsRequest) -> None:
    """As call.write, which replaces the server's status by one of its own where the server ends the call meanwhile."""
    inner = getattr(call, "_cython_call", None)
    if inner is None:
        await call.write(request)
    else:
        await inner.send_serialized_message(request.SerializeToString())


async def _async_pieces(pieces: Union[Iterable[Piece], AsyncIterable[Piece]]) -> AsyncGenerator[Piece, None]:
    """Closes the source with itself, where that can be closed. One that is not asynchronous may block: not the loop."""
    if isinstance(pieces, AsyncIterable):
        async_source = pieces.__aiter__()
        try:
            async for piece in async_source:
                yield piece
        finally:
            aclose = getattr(async_source, "aclose", None)
            if aclose is not None:
                await aclose()
        return
    loop, source = asyncio.get_running_loop(), iter(pieces)
    while True:
        found: Any = await loop.run_in_executor(None, next, source, _END)
        if found is _END:
            return
        yield found
