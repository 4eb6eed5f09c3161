"""How a call fails."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Optional, Union

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

# Its own side's limit gRPC marks as the client's, the other's as the server's or not at all.
_TOO_LARGE = re.compile(r"(CLIENT: )?Received message larger than max \((\d+) vs\. (\d+)\)")
# What gRPC says, by its version, where an address has a name that nobody knows.
_UNRESOLVED = ("errors resolving ", "DNS resolution failed")
# What gRPC says where an HTTP server answers that does not speak it, over HTTP/1 or over HTTP/2.
_NO_GRPC = ("http1.x server", "Failed parsing HTTP/2")
# What keeps a connection from being made although something listens, by gRPC's words for it. A server with TLS, and one
# that wants another certificate of the client, only hang up.
_HANGS_UP = (
    "what listens at {} hangs up before any call: a server with TLS wants https:// and its authority (roots=), one with "
    "mutual TLS a certificate of yours too (client_certificate=)"
)
_NOT_TRUSTED = (
    ("WRONG_VERSION_NUMBER", "the server at {} does not speak TLS: HOST:PORT without https:// and certificates is right"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the certificate of the server at {} is signed by nobody that is trusted, or not valid now: name its authority "
        "(roots=)",
    ),
    (
        "Hostname Verification Check failed",
        "the certificate of the server at {} is another name's: use the name that it is for, or say which one to expect "
        "(server_name=)",
    ),
    ("Socket closed", _HANGS_UP),
    ("Connection reset", _HANGS_UP),
    ("Broken pipe", _HANGS_UP),
    ("handshake failed", _HANGS_UP),
)
_HTTP_STATUS = "Received http2 header with status: "
# Of RESOURCE_EXHAUSTED. Without a reason it is gRPC, or the client, that finds the message too large.
_CLIP_TOO_LARGE = ("", "AUDIO_TOO_LONG", "DEADLINE_TOO_SHORT", "DEVICE_MEMORY", "REPLY_TOO_LARGE")


@dataclasses.dataclass(frozen=True)
class FieldViolation:
    field: str  # Of the request, such as "clips[3].pcm.samples".
    description: str


class HearwireError(Exception):
    """A call that failed, in the server's words where there are any."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        reason: str = "",
        metadata: Optional[dict[str, str]] = None,
        field_violations: tuple[FieldViolation, ...] = (),
        retry_delay: Optional[float] = None,
        request_id: str = "",
        unreachable: bool = False,
    ):
        # All of them, so that the error survives pickling.
        super().__init__(code, message, reason, metadata, field_violations, retry_delay, request_id, unreachable)
        self.code: grpc.StatusCode = code
        self.message = message
        self.reason = reason  # Why, for programs, such as "REPLY_TOO_LARGE"; empty when the server gave none.
        self.metadata: dict[str, str] = metadata or {}  # What belongs to the reason.
        self.field_violations = field_violations  # What the server objects to in the request.
        self.retry_delay = retry_delay  # Seconds the server asks to wait before trying again; None: it did not say.
        self.request_id = request_id  # As in the server's log; empty when the server gave none.
        self.unreachable = unreachable  # No server took the call: it is not running, or its address is wrong.

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


# gRPC's clients, blocking and not, give a failure these same methods.
def from_rpc_error(error: Any, server: str, deadline: float) -> HearwireError:
    """error: grpc.RpcError that is a call, or grpc.aio.AioRpcError. deadline: seconds that the call had."""
    code: grpc.StatusCode = error.code()
    message: str = error.details() or ""
    trailing = _as_dict(error.trailing_metadata())
    received = {**trailing, **_as_dict(error.initial_metadata())}
    # Whatever a server sends comes with metadata, and what it sends on failure mostly with details.
    answered = bool(received)
    unavailable = code is grpc.StatusCode.UNAVAILABLE and not answered
    unresolved = unavailable and message.startswith(_UNRESOLVED)
    unreachable = unresolved or (unavailable and "failed to connect" in message)
    if unresolved:
        message = f"the server's address {server} has a name that cannot be resolved"
    elif unreachable and any(words in message for words in _NO_GRPC):
        message = f"what answers at {server} is not a Hearwire server: it does not speak gRPC"
    elif unreachable:
        reasons = (text.format(server) for words, text in _NOT_TRUSTED if words in message)
        message = next(reasons, f"no server at {server}: {message}")
    elif message.startswith(_HTTP_STATUS):
        status = message[len(_HTTP_STATUS) :]
        message = f"what answers at {server} is not a Hearwire server: it speaks HTTP, not gRPC (status {status})"
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        message = _say_which_limit(message, server)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and not answered:
        message = f"no reply from {server} within {deadline:g} s"
    return HearwireError(
        code,
        message,
        **_details(trailing.get("grpc-status-details-bin")),
        request_id=request_id(received),
        unreachable=unreachable,
    )


def clip_fault(error: Exception) -> Optional[str]:
    """What is wrong with the clip of a call that had only this one; None: what failed it is no fault of the clip."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if not isinstance(error, HearwireError):
        return None
    for violation in error.field_violations:
        if violation.field.startswith("clips"):
            return violation.description
    if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and error.reason in _CLIP_TOO_LARGE:
        return error.message
    return None


def closed_error(server: str) -> HearwireError:
    return HearwireError(grpc.StatusCode.CANCELLED, f"the client of {server} is closed: make another one")


def request_id(*metadata: Any) -> str:
    """From the metadata of a reply or failure: a call that fails at once has only the trailing one."""
    for one in metadata:
        found = _as_dict(one).get("x-request-id")
        if isinstance(found, str):
            return found
    return ""


def _say_which_limit(message: str, server: str) -> str:
    """gRPC itself refuses what is too large, on either side, and says no more than two numbers."""
    found = _TOO_LARGE.search(message)
    if found is None:
        return message
    here, size, limit = found.groups()
    if here:
        return (
            f"a reply of {size} bytes is larger than this client takes ({limit} bytes, its max_reply_bytes): "
            "send fewer or shorter clips, or make the client with a higher limit"
        )
    return request_too_large(int(size), server, int(limit))


def request_too_large(size: int, server: str, limit: int) -> str:
    return (
        f"a request of {size} bytes is larger than the server at {server} takes ({limit} bytes, its "
        "--max-message-bytes): send fewer or shorter clips, or start the server with a higher limit"
    )


def _as_dict(metadata: Any) -> dict[str, Union[str, bytes]]:
    if isinstance(metadata, dict):
        return metadata
    return {key: value for key, value in metadata or ()}


def _details(encoded: Union[str, bytes, None]) -> dict[str, Any]:
    """HearwireError's arguments from a serialised google.rpc.Status; what cannot be read is left out."""
    found: dict[str, Any] = {}
    if not isinstance(encoded, bytes):
        return found
    status = status_pb2.Status()
    bad_request, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
    retry = error_details_pb2.RetryInfo()
    try:
        status.ParseFromString(encoded)
        for detail in status.details:
            if detail.Unpack(info):
                found["reason"] = info.reason
                found["metadata"] = dict(info.metadata)
            elif detail.Unpack(bad_request):
                found["field_violations"] = tuple(
                    FieldViolation(one.field, one.description) for one in bad_request.field_violations
                )
            elif detail.Unpack(retry):
                found["retry_delay"] = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    except DecodeError:
        pass
    return found
