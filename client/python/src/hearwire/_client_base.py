"""What both clients are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import grpc

from hearwire._channel import channel_options, check_deadline
from hearwire._connection import Path, connect
from hearwire._known_limit import KnownLimit
from hearwire.errors import closed_error


class ClientBase:
    """hearwire.Client says what the arguments are."""

    def __init__(
        self,
        server: Optional[str] = None,
        *,
        deadline: float = 30.0,
        max_attempts: int = 4,
        max_message_bytes: int = 64 << 20,
        max_reply_bytes: int = 256 << 20,
        roots: Optional[Path] = None,
        client_certificate: Optional[tuple[Path, Path]] = None,
        server_name: Optional[str] = None,
        credentials: Optional[grpc.ChannelCredentials] = None,
        token: Optional[str] = None,
        metadata: Optional[Mapping[str, str]] = None,
    ):
        # What unpickling makes another one of. What was taken from the environment is taken from it there.
        self._arguments = {
            "deadline": deadline,
            "max_attempts": max_attempts,
            "max_message_bytes": max_message_bytes,
            "max_reply_bytes": max_reply_bytes,
            "roots": roots,
            "client_certificate": client_certificate,
            "server_name": server_name,
            "credentials": credentials,
            "token": token,
            "metadata": metadata,
        }
        self._connection = connect(
            server,
            roots=roots,
            client_certificate=client_certificate,
            server_name=server_name,
            credentials=credentials,
            token=token,
            metadata=metadata,
        )
        self.server = self._connection.server
        self._deadline = check_deadline(deadline)
        self._max_message_bytes = max_message_bytes
        self._options = channel_options(self._connection, max_attempts, max_message_bytes, max_reply_bytes)
        self._limit = KnownLimit()
        self._closed = False
        self._open()

    def __repr__(self) -> str:
        return f"hearwire.{type(self).__name__}({self.server!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._arguments["credentials"] is not None:
            raise TypeError(
                f"{self!r} cannot be pickled: gRPC's own credentials cannot; roots= and client_certificate= can"
            )
        return _connect_anew, (type(self), self.server, self._arguments)

    def _open(self) -> None:
        """Makes what each kind of client has of its own."""
        raise NotImplementedError

    def _seconds(self, deadline: Optional[float]) -> float:
        return self._deadline if deadline is None else check_deadline(deadline)

    def _check_open(self) -> None:
        if self._closed:
            raise closed_error(self.server)


def _connect_anew(kind: type[ClientBase], server: str, arguments: dict[str, Any]) -> ClientBase:
    return kind(server, **arguments)
