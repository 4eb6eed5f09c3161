"""Between the clients and the service of the server's operator."""

from __future__ import annotations

from hearwire._connection import Connection
from hearwire.admin.v1 import admin_pb2 as pb
from hearwire.replies import NameChanges, ReloadChanges


def reload_request(connection: Connection) -> pb.ReloadRequest:
    """ValueError: the connection is to several servers."""
    if connection.several:
        raise ValueError(
            f"the address {connection.server} may mean several servers, and a reload is one server's: name one, as "
            "HOST:PORT or unix:/path/to/socket"
        )
    return pb.ReloadRequest()


def reload_changes(reply: pb.ReloadResponse) -> ReloadChanges:
    return ReloadChanges(
        networks=_names(reply.networks),
        heads=_names(reply.heads),
        certificate_replaced=reply.certificate_replaced,
        tokens_replaced=reply.tokens_replaced,
    )


def _names(changes: pb.NameChanges) -> NameChanges:
    return NameChanges(list(changes.added), list(changes.replaced), list(changes.removed))
