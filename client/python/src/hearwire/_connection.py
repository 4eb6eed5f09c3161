"""Where the servers are, how they are recognised, and who calls them: as the C++ client has it."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import socket
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

import grpc

DEFAULT_SERVER = "127.0.0.1:8001"
Path = Union[str, "os.PathLike[str]"]
_HTTPS = "https://"
_NAME = re.compile(r"[a-z0-9._-]+")


@dataclasses.dataclass(frozen=True)
class Connection:
    server: str  # As it was given, for messages.
    target: str  # As gRPC takes it.
    several: bool = False  # Calls go to all of its servers in turn.
    authority: str = ""  # The name to ask for in certificates, where the target has none.
    server_name: str = ""
    credentials: Optional[grpc.ChannelCredentials] = None  # None: plain text.
    metadata: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)

    def channel(self, options: list[tuple[str, Any]]) -> grpc.Channel:
        if self.credentials is None:
            return grpc.insecure_channel(self.target, options=options)
        return grpc.secure_channel(self.target, self.credentials, options=options)

    def aio_channel(self, options: list[tuple[str, Any]]) -> Any:
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.target, options=options)
        return grpc.aio.secure_channel(self.target, self.credentials, options=options)

    def stub(self, stub: Any, metadata: Optional[Mapping[str, str]] = None) -> Any:
        """The same, and every call brings the connection's metadata, and these, which go before. ValueError: they will
        not do."""
        pairs = self.metadata
        if metadata:
            _check_pairs(metadata.items())
            pairs = (*(pair for pair in pairs if pair[0] not in metadata), *metadata.items())
        return _StubWithMetadata(stub, pairs) if pairs else stub


def connect(
    server: Optional[str],
    *,
    roots: Optional[Path] = None,
    client_certificate: Optional[tuple[Path, Path]] = None,
    server_name: Optional[str] = None,
    credentials: Optional[grpc.ChannelCredentials] = None,
    token: Optional[str] = None,
    metadata: Optional[Mapping[str, str]] = None,
) -> Connection:
    """What is None is taken from the environment. ValueError, OSError: it will not do, and why."""
    address = server or os.environ.get("HEARWIRE_SERVER") or DEFAULT_SERVER
    has_tls, parts = _parts(address)
    target, authority = (parts[0], "") if len(parts) == 1 else (_list_target(address, parts), parts[0])
    name = server_name or os.environ.get("HEARWIRE_SERVER_NAME", "")
    return Connection(
        server=address,
        target=target,
        several=len(parts) > 1 or target.startswith("dns:"),
        authority=authority,
        server_name=name,
        credentials=_credentials(credentials, has_tls, roots, client_certificate, name),
        metadata=_metadata(token, metadata),
    )


def _parts(address: str) -> tuple[bool, list[str]]:
    """Each server without its https://, and whether they have that."""
    if address.startswith(("ipv4:", "ipv6:")):  # gRPC's own lists: the first that answers.
        return False, [address]
    kinds = set()
    parts = []
    for part in address.split(","):
        part = part.strip()
        kinds.add(part.startswith(_HTTPS))
        if part.startswith(_HTTPS):
            part = part[len(_HTTPS) :]
            part = part[:-1] if part.endswith("/") else part
            if not re.search(r":\d+$", part):
                part += ":443"
        if not part:
            raise ValueError(f"the server's address {address} has an empty part: HOST:PORT would be right")
        if "://" in part and not part.startswith(("dns://", "unix://")) or (True in kinds and "/" in part):
            raise ValueError(
                f"the server's address {address} is a URL: HOST:PORT would be right, or https://HOST:PORT"
            )
        parts.append(part)
    if len(kinds) > 1:
        raise ValueError(f"the server's address {address} has servers with TLS and without: one client talks to one kind")
    return True in kinds, parts


def _list_target(address: str, parts: list[str]) -> str:
    """gRPC takes several addresses, but no several names: these are looked up here, once."""
    ipv4, ipv6 = [], []
    for part in parts:
        host, _, port = part.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f'the server\'s address {address}: of several each is HOST:PORT, and "{part}" is not')
        if host.startswith("["):
            ipv6.append(part)
            continue
        try:
            ipv4.append(f"{socket.gethostbyname(host)}:{port}")
        except OSError:
            raise ValueError(
                f"the server's address {address} has the name {host}, which cannot be resolved"
            ) from None
    if ipv4 and ipv6:
        raise ValueError(
            f"the server's address {address} has addresses of IPv4 and of IPv6: gRPC takes several of one kind only"
        )
    return "ipv6:" + ",".join(ipv6) if ipv6 else "ipv4:" + ",".join(ipv4)


def _credentials(
    given: Optional[grpc.ChannelCredentials],
    has_tls: bool,
    roots: Optional[Path],
    own: Optional[tuple[Path, Path]],
    server_name: str,
) -> Optional[grpc.ChannelCredentials]:
    if given is not None:
        if roots is not None or own is not None:
            raise ValueError("credentials= stands for roots= and client_certificate=: give one or the other")
        return given
    roots = roots or os.environ.get("HEARWIRE_ROOTS")
    certificate, key = own or (os.environ.get("HEARWIRE_CLIENT_CERT"), os.environ.get("HEARWIRE_CLIENT_KEY"))
    if bool(certificate) != bool(key):
        raise ValueError("a client's certificate goes with its key: give both or neither")
    if not (has_tls or roots or certificate or server_name):
        return None
    return grpc.ssl_channel_credentials(_read(roots), _read(key), _read(certificate))


def _read(name: Optional[Path]) -> Optional[bytes]:
    if not name:
        return None
    text = pathlib.Path(name).read_bytes()
    if b"-----BEGIN " not in text:
        raise ValueError(f"{name} is no PEM (-----BEGIN …)")
    return text


def _metadata(token: Optional[str], given: Optional[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    pairs = list(_of_environment() if given is None else given.items())
    _check_pairs(pairs)
    token = _token() if token is None else token
    if token:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("the token has blanks, line breaks or other characters that no header can have")
        pairs.append(("authorization", f"Bearer {token}"))
    return tuple(pairs)


def _check_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    for name, value in pairs:
        if not _NAME.fullmatch(name) or name.startswith("grpc-"):
            raise ValueError(
                f'metadata "{name}": a name of lower-case letters, digits or any of "-_." would be right, not grpc-…'
            )
        if not name.endswith("-bin") and not (value.isascii() and value.isprintable()):
            raise ValueError(
                f'metadata "{name}": its value must be printable ASCII; other bytes go under a name …-bin'
            )


def _token() -> str:
    name = os.environ.get("HEARWIRE_TOKEN_FILE")
    if name:
        return pathlib.Path(name).read_text(encoding="ascii").strip()
    return os.environ.get("HEARWIRE_TOKEN", "").strip()


def _of_environment() -> list[tuple[str, str]]:
    text = os.environ.get("HEARWIRE_METADATA", "")
    pairs = []
    for pair in filter(None, (one.strip() for one in text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError("HEARWIRE_METADATA: NAME=VALUE would be right, such as x-team=search")
        pairs.append((name, value))
    return pairs


class _StubWithMetadata:
    def __init__(self, stub: Any, metadata: tuple[tuple[str, str], ...]):
        self._stub, self._metadata = stub, metadata

    def __getattr__(self, name: str) -> Any:
        return _MethodWithMetadata(getattr(self._stub, name), self._metadata)


class _MethodWithMetadata:
    def __init__(self, method: Any, metadata: tuple[tuple[str, str], ...]):
        self._method, self._metadata = method, metadata

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._method(*args, metadata=self._metadata, **named)

    def future(self, *args: Any, **named: Any) -> Any:
        return self._method.future(*args, metadata=self._metadata, **named)
