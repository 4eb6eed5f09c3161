"""The connection to a server, set up for messages as large as audio is: as the C++ client sets up its own."""

from __future__ import annotations

import json
from typing import Any, Union

from hearwire._connection import Connection
from hearwire._version import __version__

# The retry buffer holds a message and a little more; its size is an int to gRPC.
MOST_MESSAGE_BYTES = 2**31 - 2**16 - 1
# gRPC counts nanoseconds since 1970 in 64 bits: what passes them, it takes for a time long past. This is 31 years.
MOST_DEADLINE_SECONDS = 1e9
_LOCAL = ("127.", "localhost:", "[::1]:", "unix:", "unix-abstract:", "ipv4:127.", "ipv6:[::1]")


def check_deadline(deadline: float) -> float:
    if not 0 < deadline <= MOST_DEADLINE_SECONDS:
        raise ValueError(
            f"deadline={deadline}: more than 0 and at most {MOST_DEADLINE_SECONDS:.0f} seconds would be right"
        )
    return deadline


def service_config(max_attempts: int, several_servers: bool = False) -> dict[str, Any]:
    """Which calls are made again, when, and how often (health is left out: its answer is wanted as it is); and, of
    several servers, that calls go to them in turn while their health says so."""
    config: dict[str, Any] = {}
    if several_servers:
        config["loadBalancingConfig"] = [{"round_robin": {}}]
        # Health's own streams bring no token: a server that asks for one there counts as one that does not serve.
        config["healthCheckConfig"] = {"serviceName": ""}
    if max_attempts < 2:
        return config
    return {
        **config,
        "methodConfig": [
            {
                "name": [{"service": "hearwire.v1.EmbeddingService"}],
                "retryPolicy": {
                    "maxAttempts": max_attempts,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
                },
            }
        ],
        # Stops retries while most calls fail.
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.5},
    }


def channel_options(
    connection: Connection, max_attempts: int, max_message_bytes: int, max_reply_bytes: int
) -> list[tuple[str, Union[int, str]]]:
    if not 1 <= max_attempts <= 5:
        raise ValueError(f"max_attempts={max_attempts}: 1 (no retries) to 5 would be right")
    for name, limit in (("max_message_bytes", max_message_bytes), ("max_reply_bytes", max_reply_bytes)):
        if not 1 <= limit <= MOST_MESSAGE_BYTES:
            raise ValueError(f"{name}={limit}: 1 to {MOST_MESSAGE_BYTES} would be right")
    options: list[tuple[str, Union[int, str]]] = [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_reply_bytes),
        ("grpc.service_config", json.dumps(service_config(max_attempts, connection.several))),
        ("grpc.enable_retries", 1 if max_attempts > 1 else 0),
        # gRPC keeps 256 KiB of a call for retries and silently retries nothing larger. Beside the message it keeps a
        # little more (framing, metadata).
        ("grpc.per_rpc_retry_buffer_size", max_message_bytes + 2**16),
        # A dead connection is noticed while calls wait on it, by no more pings than a server with defaults tolerates.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 2),
        # A retry must find the server that has just come back.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # Probing the bandwidth costs large requests time; a larger window saves it.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 4 << 20),
        ("grpc.primary_user_agent", f"hearwire-python/{__version__}"),
    ]
    # A proxy of the environment is for the world outside: it cannot reach this machine's own sockets.
    if connection.target.startswith(_LOCAL):
        options.append(("grpc.enable_http_proxy", 0))
    if connection.authority:
        options.append(("grpc.default_authority", connection.authority))
    if connection.server_name:
        options.append(("grpc.ssl_target_name_override", connection.server_name))
    return options
