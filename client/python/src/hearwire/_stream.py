"""A stream, over all its calls, for a caller that waits.

Three threads have a part in it beside the caller's, which reads the answers: one of the stream's own reads the source,
and one sees to it that the server does not keep it waiting for too long; gRPC's takes the requests of a call. The
source's and gRPC's may be held up, in a source that blocks or by a server that does not read; neither holds up the
caller's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Callable, Optional

import grpc

from hearwire._pieces import Piece, PieceReader
from hearwire._stream_state import Ask, StreamState, late_error, no_summary_error, timestamp_heads
from hearwire.errors import HearwireError, from_rpc_error
from hearwire.replies import StreamEvent
from hearwire.v1 import embedding_pb2 as pb


class Events(Iterator[StreamEvent]):
    """A stream's events. A failure raises, and ends it."""

    def __init__(self, events: Generator[StreamEvent, None, None]):
        self._events = events

    def __next__(self) -> StreamEvent:
        return next(self._events)

    def close(self) -> None:
        """Cancels the stream, unless it has ended. A source that blocks is left when it yields again."""
        self._events.close()


class Stream:
    def __init__(
        self, stub: Any, server: str, deadline: float, ask: Ask, reader: PieceReader, is_closed: Callable[[], bool]
    ):
        """deadline: seconds, of what is asked before the stream. is_closed: whether the client is: nothing goes on then."""
        self._stub, self._server, self._deadline, self._ask, self._reader = stub, server, deadline, ask, reader
        self._is_closed = is_closed
        self._ends_at = None if ask.deadline is None else time.monotonic() + ask.deadline
        self._changed = threading.Condition()
        # Guarded by it:
        self._state: Optional[StreamState] = None  # Until the format is known.
        self._heads: list[str] = []
        self._over = False
        self._source_error: Optional[BaseException] = None
        self._late = False
        self._call: Any = None
        self._call_number = 0
        self._sent = 0  # Offset up to which the call has taken the audio.
        self._reading = False  # The caller waits for an answer.
        self._progress = time.monotonic()  # When the server last did something, or began to owe something.

    def events(self, pieces: Iterable[Piece]) -> Generator[StreamEvent, None, None]:
        try:
            if self._ask.heads:
                self._heads = timestamp_heads(self._ask, self._unary(self._stub.ListHeads, pb.ListHeadsRequest()))
            threading.Thread(target=self._read_source, args=(pieces,), daemon=True).start()
            state = self._wait_for_format()
            threading.Thread(target=self._watch, daemon=True).start()
            first: Optional[int] = self._ask.first_sample
            while first is not None:
                opened = time.monotonic()
                try:
                    yield from self._run_call(state, first)
                    return
                except HearwireError as error:
                    with self._changed:
                        again = None if self._is_closed() else state.resume_after(error, time.monotonic() - opened)
                    if again is None:
                        raise
                    first, pause = again
                    self._check_time(time.monotonic() + pause, error)
                    time.sleep(pause)
        finally:
            with self._changed:
                self._over = True
                call = self._call
                self._changed.notify_all()
            if call is not None:
                call.cancel()

    def _check_time(self, until: float, error: HearwireError) -> None:
        if self._ends_at is not None and until > self._ends_at:
            raise error

    def _unary(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request, timeout=self._deadline)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self._server, self._deadline) from None

    def _wait_for_format(self) -> StreamState:
        with self._changed:
            self._changed.wait_for(lambda: self._state is not None or self._source_error is not None)
            if self._state is None:
                assert self._source_error is not None
                raise self._source_error
            return self._state

    def _run_call(self, state: StreamState, first_sample: int) -> Generator[StreamEvent, None, None]:
        with self._changed:
            if self._source_error is not None:
                raise self._source_error
            self._sent = state.on_new_call(first_sample)
            self._call_number += 1
            self._progress = time.monotonic()
            requests = self._requests(state, first_sample, self._call_number)
            left = None if self._ends_at is None else max(self._ends_at - time.monotonic(), 0.001)
        call = self._stub.StreamEmbeddings(requests, timeout=left)
        with self._changed:
            self._call = call
        try:
            while True:
                self._set_reading(True)
                try:
                    message = next(call)
                except StopIteration:
                    break
                finally:
                    self._set_reading(False)
                metadata = None if state.call_started else call.initial_metadata()
                with self._changed:
                    if not state.call_started:
                        state.ahead.on_initial_metadata(metadata)
                    event = state.accept(message, self._sent)
                    self._changed.notify_all()
                if event is not None:
                    yield event
        except grpc.RpcError as error:
            with self._changed:
                if self._source_error is not None:
                    raise self._source_error from None
                if self._late:
                    raise late_error(self._server, self._ask.idle_timeout) from None
            raise from_rpc_error(error, self._server, left or 0.0) from None
        finally:
            with self._changed:
                self._call_number += 1  # gRPC stops asking for requests.
                self._changed.notify_all()
        if not state.summarised:
            raise no_summary_error()

    def _set_reading(self, reading: bool) -> None:
        with self._changed:
            self._reading = reading
            self._progress = time.monotonic()
            self._changed.notify_all()

    def _requests(self, state: StreamState, first_sample: int, call: int) -> Iterator[pb.StreamEmbeddingsRequest]:
        """gRPC asks for the next one when the connection has taken the one before."""
        yield self._ask.start(state.format, first_sample)
        while True:
            with self._changed:
                piece = state.piece(self._sent)
                while not piece and not state.all_sent(self._sent) and self._call_number == call:
                    self._changed.wait()
                    piece = state.piece(self._sent)
                if not piece or self._call_number != call:
                    return
            yield pb.StreamEmbeddingsRequest(samples=piece)
            with self._changed:
                if self._call_number != call:
                    return
                self._sent += len(piece)
                state.on_sent(self._sent)
                self._progress = time.monotonic()
                self._changed.notify_all()

    def _read_source(self, pieces: Iterable[Piece]) -> None:
        try:
            if self._reader.format is not None:
                self._know_format()
            for piece in pieces:
                data = self._reader.read(piece)
                state = self._know_format()
                with self._changed:
                    while state.full and not self._over:
                        self._changed.wait()
                    state.append(data)
                    self._progress = time.monotonic()
                    self._changed.notify_all()
                    end = state.end
                    while self._sent < end and not self._over:
                        self._changed.wait()
                    if self._over:
                        return
            state = self._know_format()
            with self._changed:
                state.finished = True
                self._progress = time.monotonic()
                self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._source_error = error
                call = self._call
                self._changed.notify_all()
            if call is not None:
                call.cancel()
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _know_format(self) -> StreamState:
        with self._changed:
            if self._state is None:
                self._state = StreamState(self._ask, self._reader.known_format(), self._heads)
                self._changed.notify_all()
            return self._state

    def _watch(self) -> None:
        with self._changed:
            while not self._over:
                state = self._state
                assert state is not None
                owes = not state.call_started or state.finished or state.full or self._sent < state.end
                if not self._reading or not owes:
                    self._changed.wait()
                    continue
                left = self._progress + self._ask.idle_timeout - time.monotonic()
                if left > 0:
                    self._changed.wait(min(left, threading.TIMEOUT_MAX))
                    continue
                self._late = True
                call = self._call
                break
            else:
                return
        if call is not None:
            call.cancel()
