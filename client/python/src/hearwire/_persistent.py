"""All clips of a batch are answered, however long the servers are away.

A clip's own fault is its answer. A server that asks for time is given it, and gets half as many calls at once. A server
that is gone is waited for. What would fail every clip (a config that nobody knows, no permission) is raised.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Union

import grpc

from hearwire.audio import Clip
from hearwire.client import Client
from hearwire.errors import HearwireError, clip_fault
from hearwire.replies import ServingStatus

# The call that fails so may succeed another time.
_PASSING = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
)
_ATTEMPTS = 5  # Of a clip at servers that serve others: it may be what ends them.
_PAUSE_SECONDS = (0.2, 5.0)  # The first pause and the longest, where the server does not say.


class Persistent:
    """Asks for clips until each has an answer. Not thread-safe."""

    def __init__(self, connect: Callable[[], Client], in_flight: int, patience: float):
        """connect: the client to ask now; called again after failures. patience: seconds without an answer."""
        self._connect = connect
        self._most_in_flight = in_flight
        self._in_flight = in_flight
        self._patience = patience

    def answers(self, clips: Sequence[Clip], ask: Callable[[Client, Iterable[Clip], int], Any]) -> list[Any]:
        """A reply, or what is wrong with the clip, for each of them.

        ask: makes Replies of a client, clips and the number of calls at once. Raises HearwireError for what would fail
        any clip, and for servers that have answered nothing for `patience`.
        """
        found: list[Union[Any, str, None]] = [None] * len(clips)
        failures = [0] * len(clips)
        todo = list(range(len(clips)))
        answered_at = time.monotonic()
        pause = _PAUSE_SECONDS[0]
        while todo:
            client = self._serving_client(answered_at)
            again: list[int] = []
            asked_to_wait: list[float] = []
            error = None
            replies = ask(client, [clips[place] for place in todo], self._in_flight).including_errors()
            for place, reply in zip(todo, replies):
                answer = _answer(reply)
                if answer is None:
                    error = reply
                    if reply.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
                        asked_to_wait.append(reply.retry_delay or 0.0)
                    else:
                        failures[place] += 1
                    if failures[place] < _ATTEMPTS:
                        again.append(place)
                        continue
                    answer = str(reply)
                found[place] = answer
            if len(again) < len(todo):
                answered_at, pause = time.monotonic(), _PAUSE_SECONDS[0]
            if error is None:
                self._in_flight = min(self._most_in_flight, self._in_flight + 1)
            else:
                self._in_flight = max(1, self._in_flight // 2)
            todo = again
            if todo:
                assert error is not None
                if time.monotonic() - answered_at > self._patience:
                    raise error
                time.sleep(max(asked_to_wait, default=0.0) or pause)
                pause = min(2 * pause, _PAUSE_SECONDS[1])
        return found

    def _serving_client(self, answered_at: float) -> Client:
        """Waits for a server that serves: a clip is not to blame for one that is gone."""
        pause = _PAUSE_SECONDS[0]
        while True:
            client = self._connect()
            try:
                if client.check_health() is ServingStatus.SERVING:
                    return client
                error = HearwireError(grpc.StatusCode.UNAVAILABLE, f"the server at {client.server} does not serve yet")
            except HearwireError as failure:
                if failure.code not in _PASSING:
                    return client  # It answers, and tells its health to others only.
                error = failure
            if time.monotonic() - answered_at > self._patience:
                raise error
            time.sleep(pause)
            pause = min(2 * pause, _PAUSE_SECONDS[1])


def _answer(reply: Any) -> Any:
    """None: another time."""
    if not isinstance(reply, Exception):
        return reply
    fault = clip_fault(reply)
    if fault is None and isinstance(reply, (TypeError, ValueError)):
        fault = str(reply)  # It could not be sent.
    if fault is None and not (isinstance(reply, HearwireError) and reply.code in _PASSING):
        raise reply
    return fault
