"""Connections: how many there may be, how long they may hold a place, and what survives who holds too many."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hearwire_server import PATIENCE, REPOSITORY, Server, chirp, open_folder, pb, pb_grpc, pcm, wait_until
from stream_calls import piece, start

sys.path.append(str(REPOSITORY / "tests/attack"))
import frames  # noqa: E402

REQUEST = pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(1.0))])
FEW_DESCRIPTORS = ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh"]


def new_channel(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


def gets_in(address: str) -> bool:
    with new_channel(address) as channel:
        try:
            pb_grpc.EmbeddingServiceStub(channel).GetSceneEmbeddings(REQUEST, timeout=20 * PATIENCE)
            return True
        except grpc.RpcError:
            return False


def connect(address: str, source: str = "") -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), 10, (source, 0) if source else None)


def is_ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


class ByHand(frames.Connection):
    """A connection whose frames are written by hand."""

    def __init__(self, address: str, source: str = ""):
        super().__init__(address, frames.Budget(seconds=600, most_bytes=1 << 20), source)
        self.start()

    def begin_call(self, stream: int, **more: str) -> None:
        """Headers, and nothing after them."""
        headers = frames.call_headers("GetSceneEmbeddings", **more)
        self.send(frames.frame(frames.HEADERS, frames.END_HEADERS, stream, headers))

    def is_ended(self) -> bool:
        try:
            self.receive(0)
            return False
        except frames.Closed:
            return True


def live_until(end: threading.Event):
    """A stream that is silent until then, and ends with a second of sound."""
    yield start(timestamps=True)
    end.wait()
    yield piece(bytes(128000))


def error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    (value,) = [v for k, v in error.trailing_metadata() if k == "grpc-status-details-bin"]
    assert any(detail.Unpack(info) for detail in status_pb2.Status.FromString(value).details)
    return info


def test_more_connections_than_descriptors_keep_nobody_out():
    with Server(prefix=FEW_DESCRIPTORS) as server:
        server.stub.GetSceneEmbeddings(REQUEST, timeout=20 * PATIENCE)
        idle = []
        for _ in range(200):
            try:
                idle.append(connect(server.address))
            except OSError:
                break
        wait_until(
            lambda: server.metric("hearwire_connections_total")
            + server.metric("hearwire_refused_connections_total")
            > len(idle),
            what="all connections",
        )
        assert server.metric("hearwire_refused_connections_total") > 0
        assert server.metric("process_open_fds") <= 64
        # While they hold all places: once one is silent for a while, it makes room.
        wait_until(lambda: gets_in(server.address), what="a place in the crowd")
        assert server.metric("hearwire_closed_connections_total", reason="made_room") > 0
        for connection in idle:
            connection.close()
        assert gets_in(server.address)
        server.stub.GetSceneEmbeddings(REQUEST, timeout=20 * PATIENCE)
        wait_until(lambda: server.metric("hearwire_open_connections") <= 2, what="the end of all connections")
        assert "connections refused" in server.log()


def test_more_connections_than_descriptors_can_bear_are_no_start(tmp_path):
    with pytest.raises(RuntimeError, match="--max-connections=17 needs 66 file descriptors, .* may have 64"):
        Server("--max-connections=17", prefix=FEW_DESCRIPTORS)


def test_the_limit_of_descriptors_is_raised():
    lower = ["sh", "-c", 'ulimit -S -n 100 && exec "$@"', "sh"]
    with Server(prefix=lower) as server:
        assert "limit of file descriptors raised from=100" in server.log()
        assert server.metric("process_max_fds") > 100


def test_an_address_has_its_share_and_proxies_have_no_limit():
    flags = ["--max-connections-per-address=2", "--trusted-proxies=127.0.0.3", "--drain-deadline=100ms"]
    with Server(*flags) as server:
        mine = [ByHand(server.address) for _ in range(2)]
        for connection in mine:
            connection.begin_call(1)
        wait_until(lambda: server.metric("hearwire_open_connections") == 2, what="both connections")
        third = connect(server.address)
        wait_until(lambda: is_ended(third), what="the third one's end")
        assert server.metric("hearwire_refused_connections_total", reason="address_limit") == 1
        other = ByHand(server.address, source="127.0.0.2")
        proxies = [connect(server.address, source="127.0.0.3") for _ in range(5)]
        wait_until(lambda: server.metric("hearwire_open_connections") == 8, what="those of other addresses")
        assert not any(map(is_ended, proxies)) and not any(connection.is_ended() for connection in [*mine, other])


def test_a_busy_connection_stays_and_an_idle_one_makes_room():
    with Server("--max-connections=2") as server, new_channel(server.address) as channel:
        stub = pb_grpc.EmbeddingServiceStub(channel)
        sent = threading.Event()
        answers = stub.StreamEmbeddings(live_until(sent), timeout=60 * PATIENCE)
        assert next(answers).WhichOneof("response") == "started"
        idle = connect(server.address)
        wait_until(lambda: server.metric("hearwire_open_connections") == 2, what="both connections")
        wait_until(lambda: gets_in(server.address), what="room")
        assert is_ended(idle)
        sent.set()
        assert [m.WhichOneof("response") for m in answers][-1] == "summary"


def test_idle_connections_end_and_busy_ones_do_not():
    with Server("--connection-idle-timeout=1s") as server, new_channel(server.address) as channel:
        stub = pb_grpc.EmbeddingServiceStub(channel)
        sent = threading.Event()
        answers = stub.StreamEmbeddings(live_until(sent), timeout=60 * PATIENCE)
        assert next(answers).WhichOneof("response") == "started"
        idle = ByHand(server.address)
        wait_until(idle.is_ended, 15, "the end of the idle one")
        sent.set()
        assert [m.WhichOneof("response") for m in answers][-1] == "summary"
        wait_until(lambda: server.metric("hearwire_open_connections") == 0, 15, "the end of the other connection")
        # The channel connects again by itself.
        stub.GetSceneEmbeddings(REQUEST, timeout=20 * PATIENCE)


def test_requests_that_begin_and_do_not_arrive_end_with_their_connection():
    with Server("--request-timeout=2s") as server:
        stuck = ByHand(server.address)
        for stream in range(1, 41, 2):
            stuck.begin_call(stream)
        trickling = ByHand(server.address)  # Its bytes are no request's.
        trickling.begin_call(1)
        quiet = ByHand(server.address)  # Idle is no fault.

        # Neither are a live stream with a piece now and then, one that is silent, and a watch of health.
        ends = threading.Event()

        def live(period):
            yield start(timestamps=True)
            while not ends.wait(period):
                yield piece(bytes(3200))
            yield piece(bytes(128000))

        channels = [new_channel(server.address) for _ in range(3)]
        streams = [
            pb_grpc.EmbeddingServiceStub(channel).StreamEmbeddings(live(period), timeout=60 * PATIENCE)
            for channel, period in zip(channels, (0.5, 60))
        ]
        for stream in streams:
            assert next(stream).WhichOneof("response") == "started"
        watch = health_pb2_grpc.HealthStub(channels[2]).Watch(health_pb2.HealthCheckRequest())
        next(watch)

        begun = time.monotonic()
        while not stuck.is_ended() or not trickling.is_ended():
            assert time.monotonic() < begun + 20 * PATIENCE
            with contextlib.suppress(frames.Closed):
                trickling.send(frames.frame(frames.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)))
            time.sleep(0.2)
        time.sleep(3)
        assert not quiet.is_ended()
        ends.set()
        for stream in streams:
            assert [m.WhichOneof("response") for m in stream][-1] == "summary"
        assert watch.is_active()
        watch.cancel()
        for channel in channels:
            channel.close()
        assert server.metric("hearwire_closed_connections_total", reason="request_timeout") == 2


def test_streams_of_an_old_connection_are_told_where_to_go_on():
    with (
        Server("--max-connection-age=1s", "--connection-age-grace=3s") as server,
        new_channel(server.address) as channel,
    ):
        stub = pb_grpc.EmbeddingServiceStub(channel)

        def live():
            yield start(timestamps=True)
            while True:
                yield piece(bytes(32000))
                time.sleep(0.1)

        answers = stub.StreamEmbeddings(live(), timeout=60 * PATIENCE)
        with pytest.raises(grpc.RpcError) as ended:
            for _ in answers:
                pass
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE, ended.value
        info = error_info(ended.value)
        assert info.reason == "STREAM_TOO_LONG" and int(info.metadata["resume_sample"]) > 0
        assert "--max-connection-age" in ended.value.details()
        # What comes next has a new connection.
        stub.GetSceneEmbeddings(REQUEST, timeout=20 * PATIENCE)
        assert server.metric("hearwire_connections_total") >= 2


def test_an_old_connection_ends_with_what_hangs_on_it():
    with Server("--max-connection-age=1s", "--connection-age-grace=1s", "--request-timeout=0") as server:
        hanging = ByHand(server.address)
        hanging.begin_call(1)
        wait_until(hanging.is_ended, 20, "the end of the old one")
        wait_until(lambda: server.metric("hearwire_closed_connections_total", reason="age") == 1, what="its count")


CALL = """
import os, sys; sys.path.insert(0, sys.argv[1])
from hearwire_server import *
os.setuid(int(sys.argv[3]))
channel = grpc.insecure_channel("unix:" + sys.argv[2])
request = pb.ListConfigsRequest(loaded_only=True)
metadata = [("x-hearwire-caller", "someone")] if len(sys.argv) > 4 else []
print(len(pb_grpc.EmbeddingServiceStub(channel).ListConfigs(request, timeout=60, metadata=metadata).configs))
"""


@pytest.fixture
def folder():
    with open_folder() as folder:
        yield folder


def test_callers_on_a_socket_are_named_by_their_uid(folder):
    path, log = folder / "hearwire.sock", folder / "access.log"

    def call(as_uid, *more):
        command = [sys.executable, "-c", CALL, os.path.dirname(__file__), str(path), str(as_uid), *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120 * PATIENCE)
        assert done.returncode == 0, done.stderr

    uid = os.getuid()
    flags = [f"--unix-socket={path}", "--unix-socket-mode=0666", f"--access-log={log}"]
    with Server(*flags, f"--trusted-proxies=unix:{uid}") as server:
        expected = [f"unix:{uid}"]
        for _ in range(2):  # Over one connection, then another.
            with grpc.insecure_channel(f"unix:{path}") as channel:
                stub = pb_grpc.EmbeddingServiceStub(channel)
                for _ in range(2):
                    stub.ListConfigs(pb.ListConfigsRequest(), timeout=20 * PATIENCE)
        expected *= 4
        call(uid, "proxied")
        expected.append("someone")
        if uid == 0:
            call(65534)
            expected.append("unix:65534")
            # It is no proxy, whatever it says.
            call(65534, "proxied")
            expected.append("unix:65534")
        wait_until(lambda: len(log.read_text().splitlines()) == len(expected), what="the log's lines")
        assert [json.loads(line)["caller"] for line in log.read_text().splitlines()] == expected
        assert server.metric("hearwire_caller_calls_total", caller=f"unix:{uid}") == 4


def test_a_drain_refuses_connections_and_a_successor_takes_the_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    old = Server("--drain-deadline=60s", f"--grpc-port={port}")
    sent = threading.Event()
    answers = old.stub.StreamEmbeddings(live_until(sent), timeout=60 * PATIENCE)
    assert next(answers).WhichOneof("response") == "started"
    old.process.terminate()

    def refused():
        try:
            connect(old.address).close()
            return False
        except ConnectionRefusedError:
            return True

    wait_until(refused, what="the end of listening")
    # On the connection that is there, calls are still told why they are refused.
    with pytest.raises(grpc.RpcError) as told:
        old.stub.GetSceneEmbeddings(REQUEST, timeout=20 * PATIENCE)
    assert error_info(told.value).reason == "SHUTTING_DOWN"
    with Server(f"--grpc-port={port}") as new:
        assert gets_in(new.address)
        assert old.process.poll() is None
        sent.set()
        assert [m.WhichOneof("response") for m in answers][-1] == "summary"
        assert old.process.wait(30 * PATIENCE) == 0


def test_what_callers_send_is_not_in_the_log_as_it_came(tmp_path):
    secret = "s3cr3t-0123456789"
    env = {"GRPC_VERBOSITY": "debug", "GRPC_TRACE": "all"}
    with Server("--log-level=debug", "--drain-deadline=100ms", env=env) as server:
        good = ByHand(server.address)
        good.begin_call(1, authorization=f"Bearer {secret}", x_note="two\nlines")
        bad = ByHand(server.address)
        bad.begin_call(1, grpc_timeout="\x1b[31mred\nfake error line")
        noise = connect(server.address)
        noise.sendall(f"GET / HTTP/1.1\r\nAuthorization: Bearer {secret}\r\n\r\n".encode())
        wait_until(lambda: is_ended(noise), 20, "the end of what is no HTTP/2")
        wait_until(lambda: "HDR:SVR: content-type" in server.log(), what="a trace of headers")
        wait_until(lambda: "fake error line" in server.log(), what="gRPC's own error")
        log = server.log()
        assert re.search(r' error gRPC text=".*\\u001b\[31mred\\nfake error line', log), "escaped, as an error"
        assert secret not in log
        assert "\x1b" not in log and "\nfake error line" not in log
    for line in log.splitlines():
        assert line[:2] == "20", line
