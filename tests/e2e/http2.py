"""HTTP/2 by hand, for clients that no library would be: frames as bytes, headers without compression."""

from __future__ import annotations

import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, WINDOW_UPDATE = 1, 4, 8
END_HEADERS = 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header(name: bytes, value: bytes) -> bytes:
    """A literal that no table remembers."""
    assert len(name) < 127 and len(value) < 127
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def call_headers(method: str, *more: tuple[bytes, bytes]) -> bytes:
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", method.encode()),
        (b":authority", b"test"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    ]
    return b"".join(header(*field) for field in [*fields, *more])


class Connection:
    """A connection that has said what HTTP/2 wants first."""

    def __init__(self, address: str, source: str = ""):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), 10, (source, 0) if source else None)
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0))

    def begin_call(self, stream: int, method: str, *more: tuple[bytes, bytes]) -> None:
        """Headers, and nothing after them."""
        self.socket.sendall(frame(HEADERS, END_HEADERS, stream, call_headers(method, *more)))

    def send_little(self) -> None:
        """A frame of 13 bytes that asks for nothing."""
        self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)))

    def ended(self) -> bool:
        """Whether the server has ended it. Reads what has come."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.socket.setblocking(True)

    def ends_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def close(self) -> None:
        self.socket.close()
