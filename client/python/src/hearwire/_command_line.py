"""What the commands of `python -m hearwire` share: the server that they ask, what they refuse, how they write files."""

from __future__ import annotations

import argparse
import os
import pathlib
import tempfile

from hearwire._channel import MOST_MESSAGE_BYTES
from hearwire._connection import DEFAULT_SERVER
from hearwire.client import Client

# A server bounds it further by its --max-deadline.
DEADLINE_SECONDS = 300.0


class CommandError(Exception):
    """Says what is wrong, where, and what would be right."""


def add_server(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--server", metavar="HOST:PORT", help=f"default: what HEARWIRE_SERVER names, else {DEFAULT_SERVER}"
    )


def open_client(arguments: argparse.Namespace) -> Client:
    """Raises CommandError."""
    # What is too large for it the server itself says.
    most = MOST_MESSAGE_BYTES
    try:
        return Client(arguments.server, deadline=DEADLINE_SECONDS, max_message_bytes=most, max_reply_bytes=most)
    except ValueError as error:
        raise CommandError(str(error)) from None


def write_whole(path: pathlib.Path, content: bytes) -> None:
    """A reader sees the whole file or none of it. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=".hearwire-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp's are the owner's alone; a server may run as another user.
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
