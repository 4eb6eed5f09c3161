"""HTTP/2 by the frame, for clients that do not keep to it: RFC 9113 and, of RFC 7541, literal headers only.

Every connection counts the bytes that it has sent, and sends no more than it was allowed.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVICE = "/hearwire.v1.EmbeddingService/"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _length(value: int) -> bytes:
    """RFC 7541, 5.1, with a prefix of 7 bits."""
    if value < 127:
        return bytes([value])
    out, value = bytearray([127]), value - 127
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + bytes([value]))


def header(name: str, value: str | bytes) -> bytes:
    """A literal that no table keeps (6.2.2)."""
    text = value.encode() if isinstance(value, str) else value
    return b"\0" + _length(len(name)) + name.encode() + _length(len(text)) + text


def call_headers(method: str, secure: bool = False, **more: str) -> bytes:
    """The block of a gRPC call; what stands in `more` goes behind, with - for _. method: of Hearwire's, or a whole path."""
    fields = {
        ":method": "POST",
        ":scheme": "https" if secure else "http",
        ":path": method if method.startswith("/") else SERVICE + method,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return b"".join(header(name, value) for name, value in fields.items())


def settings(values: dict[int, int] | None = None) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in (values or {}).items()))


def message(body: bytes, compressed: bool = False) -> bytes:
    """As gRPC puts it into DATA."""
    return struct.pack(">BI", compressed, len(body)) + body


class Closed(Exception):
    """The other side has closed or reset the connection."""


class Spent(Exception):
    """The allowed bytes are sent."""


class Budget:
    """Of one attacker: bytes, and the time when it ends."""

    def __init__(self, seconds: float, most_bytes: int):
        self.end = time.monotonic() + seconds
        self.left = most_bytes
        self.sent = 0

    def over(self) -> bool:
        return time.monotonic() >= self.end or self.left <= 0

    def remaining(self) -> float:
        return max(0.0, self.end - time.monotonic())

    def take(self, count: int) -> None:
        self.left -= count
        self.sent += count


class Connection:
    """One socket. `source` is the address it comes from; `secure` speaks TLS and trusts anybody."""

    def __init__(self, address: str, budget: Budget, source: str = "", secure: bool = False, silent: bool = False):
        """silent: nothing is sent, not even TLS' first message."""
        host, port = address.rsplit(":", 1)
        self.budget, self.secure = budget, secure
        self.deaf = False  # What comes in is thrown away.
        self.frames: list[tuple[int, int, int, bytes]] = []  # What came in: kind, flags, stream, payload.
        self._in = bytearray()
        self._initial, self._window, self._windows = 65535, 65535, {}  # Of what may be sent: RFC 9113, 5.2.
        try:
            self.socket = socket.create_connection((host, int(port)), timeout=5, source_address=(source, 0) if source else None)
            if secure and not silent:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.set_alpn_protocols(["h2"])
                self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        except (OSError, ssl.SSLError) as error:
            raise Closed(str(error)) from error
        self.socket.setblocking(False)

    def start(self, values: dict[int, int] | None = None) -> None:
        self.send(PREFACE + settings(values))

    def send(self, blob: bytes, read: bool = True) -> None:
        """Sends all, or what the budget has. Takes in and keeps what comes meanwhile, unless `read` is off."""
        if self.budget.over():
            raise Spent
        view = memoryview(blob)[: self.budget.left]
        while view:
            if self.budget.remaining() == 0:
                raise Spent
            if read:
                self.receive(0)
            try:
                count = self.socket.send(view)
                self.budget.take(count)
                view = view[count:]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                select.select([self.socket] if read else [], [self.socket], [], min(0.1, self.budget.remaining()))
            except (OSError, ssl.SSLError) as error:
                raise Closed(str(error)) from error

    def receive(self, wait: float) -> None:
        """Takes in what is there, or comes within this time."""
        end = time.monotonic() + wait
        while True:
            try:
                piece = self.socket.recv(1 << 16)
                if not piece:
                    raise Closed("end of stream")
                if not self.deaf:
                    self._in += piece
                    self._parse()
                continue
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                left = end - time.monotonic()
                if left <= 0:
                    return
                select.select([self.socket], [], [], left)
            except (OSError, ssl.SSLError) as error:
                raise Closed(str(error)) from error

    def _parse(self) -> None:
        while len(self._in) >= 9:
            length = int.from_bytes(self._in[:3], "big")
            if len(self._in) < 9 + length:
                return
            kind, flags, stream = struct.unpack(">BBI", self._in[3:9])
            payload = bytes(self._in[9 : 9 + length])
            self.frames.append((kind, flags, stream, payload))
            del self._in[: 9 + length]
            if kind == SETTINGS:
                for at in range(0, length, 6):
                    name, value = struct.unpack_from(">HI", payload, at)
                    if name == INITIAL_WINDOW_SIZE:
                        self._windows = {one: left + value - self._initial for one, left in self._windows.items()}
                        self._initial = value
            elif kind == WINDOW_UPDATE and stream == 0:
                self._window += int.from_bytes(payload, "big")
            elif kind == WINDOW_UPDATE:
                self._windows[stream] = self._windows.get(stream, self._initial) + int.from_bytes(payload, "big")

    def send_body(self, stream: int, body: bytes) -> None:
        """As DATA, the last of the stream, when the other side has room for it. No more of it once the stream has ended."""
        at = 0
        while stream not in self.ended_streams():
            room = min(self._window, self._windows.setdefault(stream, self._initial), 16384, len(body) - at)
            if room > 0 or at == len(body):
                self._window -= room
                self._windows[stream] -= room
                end = END_STREAM if at + room == len(body) else 0
                self.send(frame(DATA, end, stream, body[at : at + room]))
                at += room
                if end:
                    return
            elif self.budget.over():
                raise Spent
            else:
                self.receive(0.05)
                self.answer_settings_and_pings()

    def answer_settings_and_pings(self) -> None:
        """As a client does that behaves. Forgets all frames but those that end streams."""
        kept = []
        for kind, flags, stream, payload in self.frames:
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                self.send(frame(PING, ACK, 0, payload))
            elif kind in (RST_STREAM, GOAWAY) or (kind in (HEADERS, DATA) and flags & END_STREAM):
                kept.append((kind, flags, stream, payload))
        self.frames = kept

    def ended_streams(self) -> set[int]:
        return {
            stream for kind, flags, stream, _ in self.frames
            if stream and (kind == RST_STREAM or (kind in (HEADERS, DATA) and flags & END_STREAM))
        }

    def close(self) -> None:
        self.socket.close()
