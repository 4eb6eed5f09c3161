"""The size of message that a server takes, as far as a client knows it.

gRPC refuses a larger one only when all of it has come, with RESOURCE_EXHAUSTED, which a retry policy makes again: the
same megabytes would travel four times, in vain. So a client asks before it sends much, and again before it refuses, for
the server may have been started anew.
"""

from __future__ import annotations

import sys
from typing import Optional

import grpc

from hearwire.errors import HearwireError, request_too_large

# Smaller requests are not worth asking.
NOT_WORTH_ASKING = 1 << 20


class KnownLimit:
    """Thread-safe."""

    def __init__(self) -> None:
        self._max_message_bytes = 0  # 0: not known.

    def must_ask(self, size: int) -> bool:
        return size > NOT_WORTH_ASKING and size > self._max_message_bytes

    def learn(self, max_message_bytes: Optional[int]) -> None:
        """None or 0: the server tells no limit, and counts as one without."""
        self._max_message_bytes = max_message_bytes or sys.maxsize

    def learn_failure(self, error: HearwireError) -> None:
        """Raises what every call would fail with now; nothing was learned."""
        if error.code not in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.PERMISSION_DENIED):
            raise error
        self.learn(None)

    def check(self, size: int, server: str) -> None:
        """Raises HearwireError where the server would refuse so much."""
        if size > self._max_message_bytes > 0:
            raise HearwireError(
                grpc.StatusCode.RESOURCE_EXHAUSTED, request_too_large(size, server, self._max_message_bytes)
            )
