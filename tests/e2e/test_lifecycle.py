"""Starting, health, reflection, metrics, draining and ending."""

import re
import select
import signal
import socket
import subprocess
import threading
import time

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from hearwire_server import BIN, MESSAGE_OPTIONS, PATIENCE, Server, chirp, pb, pb_grpc, pcm, wait_until

SERVICE = "hearwire.v1.EmbeddingService"


def scene(server, seconds=1.0, timeout=60):
    return server.stub.GetSceneEmbeddings(
        pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(seconds))]), timeout=timeout * PATIENCE
    )


@pytest.mark.parametrize("service", ["", SERVICE])
def test_health_check_and_watch_say_serving_then_not(service):
    server = Server("--lame-duck=1s")
    health = health_pb2_grpc.HealthStub(server.channel)
    request = health_pb2.HealthCheckRequest(service=service)
    assert health.Check(request, timeout=10).status == health_pb2.HealthCheckResponse.SERVING
    seen = []
    watch = health.Watch(request)

    def follow():
        try:
            for reply in watch:
                seen.append(reply.status)
        except grpc.RpcError:
            pass

    thread = threading.Thread(target=follow)
    thread.start()
    wait_until(lambda: seen, what="the first status")
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: len(seen) > 1, what="the status of the lame duck")
    # The lame duck still serves.
    assert scene(server).embeddings.rows == 1
    assert server.process.wait(30 * PATIENCE) == 0
    thread.join()
    assert seen[:2] == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]


def test_unknown_service_has_no_health(server):
    health = health_pb2_grpc.HealthStub(server.channel)
    with pytest.raises(grpc.RpcError) as error:
        health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=10)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_reflection_describes_the_service(server):
    database = ProtoReflectionDescriptorDatabase(server.channel)
    assert SERVICE in database.get_services()
    assert "grpc.health.v1.Health" in database.get_services()
    names = {message.name for message in database.FindFileContainingSymbol(SERVICE).message_type}
    assert {"GetSceneEmbeddingsRequest", "Matrix", "Config"} <= names


def test_start_up_lines_come_once_each(server):
    text = "".join(server.lines)
    assert text.count("gRPC listening on 127.0.0.1:") == 1
    assert text.count("metrics listening on 127.0.0.1:") == 1


def test_metrics_exist_at_zero_from_the_start():
    with Server() as server:
        assert server.metric("hearwire_requests_total", method="GetTags", code="OK") == 0
        assert server.metric("hearwire_rejected_total") == 0
        assert server.metric("hearwire_pending_frames") == 0
        assert server.metric("hearwire_build_info") == 1
        assert server.metric("process_resident_memory_bytes") > 1e6
        scene(server)
        assert server.metric("hearwire_requests_total", method="GetSceneEmbeddings", code="OK") == 1
        assert server.metric("hearwire_audio_seconds_total") == pytest.approx(1.0, abs=1e-3)


def connect_idly(server, count):
    """Connections to the metrics' port on which no request comes to its end."""
    host, port = server.metrics_address.rsplit(":", 1)
    idle = [socket.create_connection((host, int(port))) for _ in range(count)]
    for connection in idle:
        connection.sendall(b"GET /metr")
    return idle


def closed_ones(connections):
    """Those that the server has closed."""
    readable, _, _ = select.select(connections, [], [], 0)
    return readable


def test_as_many_idle_connections_as_documented_do_not_keep_a_scrape_waiting():
    with Server() as server:
        # A scrape that waits is answered only when the time of an idle connection is over. A machine that is busy may
        # take as long for the scrape itself, but not each time.
        for _ in range(5):
            idle = connect_idly(server, 15)
            server.metrics()
            waited = closed_ones(idle)
            for connection in idle:
                connection.close()
            if not waited:
                return
        raise AssertionError("each scrape has waited for an idle connection to be closed")


def test_a_scrape_is_answered_behind_any_number_of_idle_connections():
    with Server() as server:
        idle = connect_idly(server, 80)
        server.metrics()
        assert closed_ones(idle), "it had to wait for some, and they did not stay"
        for connection in idle:
            connection.close()


def test_sigterm_finishes_what_runs_and_exits_0():
    server = Server()
    tested = server.metric("hearwire_batch_windows_count")  # The self-test's.
    # Many calls under way, none of them lost.
    calls = [
        server.stub.GetTimestampEmbeddings.future(
            pb.GetTimestampEmbeddingsRequest(clips=[pcm(chirp(5.0))]), timeout=60 * PATIENCE
        )
        for _ in range(16)
    ]
    wait_until(lambda: server.metric("hearwire_batch_windows_count") > tested, what="the first batch")
    server.process.send_signal(signal.SIGTERM)
    replies = [call.result() for call in calls]
    assert all(reply.clips[0].embeddings.rows == 101 for reply in replies)
    assert server.process.wait(30 * PATIENCE) == 0


def error_reason(error):
    """The ErrorInfo reason of a failed call, None when it carries none: the server did not write the answer."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                return info.reason
    return None


# A second of audio answers at once; a minute's message is long on its way and gRPC has not handed it on yet when the
# drain begins.
@pytest.mark.parametrize("seconds, callers", [(1.0, 12), (60.0, 4)])
def test_clients_that_call_on_through_a_drain_are_told_to_go_elsewhere(seconds, callers):
    server = Server(f"--lame-duck={200 * PATIENCE}ms", "--drain-deadline=20s")
    request = pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(seconds))])
    outcomes, under_way, gone = [], threading.Barrier(callers + 1), threading.Event()

    def call_on():
        with grpc.insecure_channel(
            server.address, options=[*MESSAGE_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            stub = pb_grpc.EmbeddingServiceStub(channel)
            stub.GetSceneEmbeddings(request, timeout=60 * PATIENCE)
            under_way.wait()
            while not gone.is_set():
                try:
                    stub.GetSceneEmbeddings(request, timeout=60 * PATIENCE)
                    outcomes.append((grpc.StatusCode.OK, None, ""))
                except grpc.RpcError as error:
                    outcomes.append((error.code(), error_reason(error), error.details()))
                    time.sleep(0.02)  # As a client with a retry policy does, only shorter.

    threads = [threading.Thread(target=call_on) for _ in range(callers)]
    for thread in threads:
        thread.start()
    under_way.wait()
    server.process.send_signal(signal.SIGTERM)
    code = server.process.wait(40 * PATIENCE)
    gone.set()
    for thread in threads:
        thread.join()
    assert code == 0, server.log()
    connection = r"[Ss]ocket closed|[Cc]onnection|recvmsg|sendmsg|GOAWAY|[Bb]roken pipe|failed to connect|[Uu]navailable"
    for status, reason, text in outcomes:
        assert status in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE), (status, reason, text)
        if status == grpc.StatusCode.UNAVAILABLE:
            assert reason == "SHUTTING_DOWN" or re.search(connection, text), (status, reason, text)
    assert any(status == grpc.StatusCode.OK for status, _, _ in outcomes), "the lame duck answers"
    assert any(reason == "SHUTTING_DOWN" for _, reason, _ in outcomes), "the drain refuses"
    assert "some calls did not end" not in server.log()


def test_a_request_over_the_limit_does_not_hold_up_the_drain():
    server = Server("--lame-duck=0s", "--max-message-bytes=64KiB", "--drain-deadline=600s")
    for _ in range(3):
        with pytest.raises(grpc.RpcError) as refused:
            server.stub.GetTags(pb.GetTagsRequest(clips=[pb.Audio(encoded=bytes(70000))]), timeout=60)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30 * PATIENCE) == 0


def test_serves_ipv6_with_metrics_on_ipv4():
    with Server("--host=::1") as server:
        assert server.address.startswith("[::1]:") and server.metrics_address.startswith("127.0.0.1:")
        reply = server.stub.GetTags(pb.GetTagsRequest(clips=[pcm(chirp(1.0))], top_k=1), timeout=60 * PATIENCE)
        assert len(reply.clips) == 1
        assert server.metric("hearwire_requests_total", method="GetTags", code="OK") == 1


def test_sigterm_fails_what_outlasts_the_drain_deadline():
    server = Server("--drain-deadline=100ms", "--max-queued-frames=100000000", "--max-queue-time=1h")
    tested = server.metric("hearwire_batch_windows_count")
    noise = np.random.default_rng(0).normal(0, 0.1, 32000 * 600).astype(np.float32)
    calls = [
        server.stub.GetTimestampEmbeddings.future(
            pb.GetTimestampEmbeddingsRequest(clips=[pcm(noise[: 32000 * 400])]), timeout=300
        )
        for _ in range(8)
    ]
    wait_until(lambda: server.metric("hearwire_batch_windows_count") > tested, 60, "the first batch")
    start = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30 * PATIENCE) == 0
    assert time.monotonic() - start < 10 * PATIENCE
    codes = {call.code() for call in calls}
    assert codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK} and grpc.StatusCode.UNAVAILABLE in codes


def test_a_second_signal_ends_it_now():
    server = Server("--lame-duck=60s")
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in server.log(), what="the first signal's line")
    time.sleep(0.2)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    # Killed by the signal and ending by itself look the same to a shell, but only the latter writes a line.
    assert server.process.wait(5 * PATIENCE) == 128 + signal.SIGTERM
    assert "second signal: ending now" in server.log()


def test_open_streams_of_reflection_and_health_do_not_hold_up_the_drain():
    server = Server("--drain-deadline=600s")
    asked = threading.Event()

    def questions():
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        asked.wait()

    replies = reflection_pb2_grpc.ServerReflectionStub(server.channel).ServerReflectionInfo(questions())
    assert next(replies).list_services_response.service
    watch = health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30 * PATIENCE) == 0
    asked.set()


@pytest.mark.parametrize("flag", ["--grpc-port", "--metrics-port"])
def test_a_busy_port_is_one_clear_line(flag):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        other = "--metrics-port=0" if flag == "--grpc-port" else "--grpc-port=0"
        ended = subprocess.run(
            [BIN / "hearwire-server", f"{flag}={port}", other], capture_output=True, text=True, timeout=60 * PATIENCE
        )
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert str(port) in last and "port is taken" in last, ended.stderr


@pytest.mark.parametrize(
    "flags, word",
    [
        (["--grpc-prot=1"], "--grpc-port"),
        (["--grpc-port=x"], "grpc-port"),
        (["--workers=-1"], "workers"),
        (["--default-config=mn99"], "--default-config"),
        (["--networks=mn04_as"], "mn04_as"),
        (["--model-repository=/no/such/folder"], "/no/such/folder"),
        (["--backend=abacus"], "abacus"),
    ],
)
def test_wrong_flags_end_with_code_1_and_one_clear_line(flags, word):
    ended = subprocess.run(
        [BIN / "hearwire-server", "--grpc-port=0", "--metrics-port=0", *flags] if "port" not in flags[0] else
        [BIN / "hearwire-server", *flags],
        capture_output=True, text=True, timeout=60 * PATIENCE,
    )
    assert ended.returncode == 1
    assert word in ended.stderr.strip().splitlines()[-1], ended.stderr


def test_flags_come_from_the_environment_too():
    with Server(env={"HEARWIRE_MAX_CLIPS": "1"}) as server:
        with pytest.raises(grpc.RpcError) as error:
            server.stub.GetSceneEmbeddings(
                pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(1.0))] * 2), timeout=30 * PATIENCE
            )
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "1" in error.value.details()
