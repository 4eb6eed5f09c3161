"""What deploy/haproxy does for callers that behave: all clients work through it, nothing that they do is cut short, and
servers, and HAProxy itself, are exchanged without a failed call."""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import grpc
import numpy as np
import pytest
import trial
from front import BEHIND, CONFIGURATION, PROGRAM, Front, secure, version
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hearwire_server import BIN, PATIENCE, Server, chirp, pb, pb_grpc, pcm, wait_until
from python_client import PythonLoad, package
from stream_calls import piece, start

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("HEARWIRE_")}


def tags(stub, timeout=30, **more):
    return stub.GetTags(pb.GetTagsRequest(clips=[pcm(chirp(0.5))], top_k=1), timeout=timeout * PATIENCE, **more)


def failure(call) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code().name, error.value.details()


@pytest.fixture(scope="module")
def server():
    with Server(*BEHIND) as running:
        yield running


@pytest.fixture(scope="module")
def front(certificates, server):
    with Front(certificates, [server.address]) as running:
        yield running


def run(program: str, *arguments: str, env: dict[str, str], stdin: bytes = b"") -> str:
    ended = subprocess.run(
        [str(BIN / program), *arguments], input=stdin, capture_output=True, env={**CLEAN, **env}, timeout=60 * PATIENCE)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


def test_all_clients_work_through_it(certificates, front, server, tmp_path):
    env = secure(certificates, front)
    assert "hearwire_mn01" in run("hearwire", "configs", env=env)
    run("hearwire", "health", env=env)
    samples = (chirp(3) * 32767).astype("<i2").tobytes()
    told = run("hearwire", "stream", "--rate", "32000", "--encoding", "s16", "--tags", "1", env=env, stdin=samples)
    assert "3.000 s in all" in told
    run("hearwire-load", "--duration", "1s", "--warm-up", "0", "--concurrency", "4", "--objective-errors", "0", env=env)
    run("hearwire-load", "--kind", "stream", "--duration", "1s", "--warm-up", "0", "--concurrency", "2", env=env)
    for kind in "Client", "AsyncClient":
        load = PythonLoad(kind, env["HEARWIRE_SERVER"], env)
        threading.Event().wait(0.5)
        found = load.stop()
        assert found["failures"] == [] and found["calls"] > 2


def test_answers_are_the_servers_own(certificates, front, server):
    stub = certificates.stub(front.address)
    request = pb.GetTimestampEmbeddingsRequest(clips=[pcm(chirp(60))])  # More than any buffer holds, both ways.
    through = stub.GetTimestampEmbeddings(request, timeout=60 * PATIENCE)
    bare = server.stub.GetTimestampEmbeddings(request, timeout=60 * PATIENCE)
    assert through.clips == bare.clips
    # Refusals come through with their words, also where the message is still on its way.
    code, words = failure(lambda: tags(stub, metadata=(("grpc-encoding", "gzip"),), compression=grpc.Compression.Gzip))
    assert code == "UNIMPLEMENTED", words
    large = pb.GetSceneEmbeddingsRequest(clips=[pb.Audio(encoded=b"x" * (70 << 20))])
    code, words = failure(lambda: stub.GetSceneEmbeddings(large, timeout=60 * PATIENCE))
    assert code == "RESOURCE_EXHAUSTED" and "larger than max" in words


def test_calls_side_by_side_on_one_connection_do_not_stall(certificates, front, server):
    """Their replies are larger than the front's buffers, and windows of gRPC's C++ client stay small. Where calls share a
    connection to the server (without the front's max-reuse), most of these end by their deadline."""
    run("hearwire-load", "--kind", "timestamps", "--clip-seconds", "10", "--sample-rate", "8000", "--connections", "1", "--concurrency", "8",
        "--duration", "3s", "--warm-up", "0s", "--deadline", f"{10 * PATIENCE}s", "--objective-errors", "0", env=secure(certificates, front))


def test_the_calls_that_get_a_deadline_are_all_but_streams():
    listed = set(re.findall(r"/[\w.]+/\w+", " ".join(re.findall(r"^ *acl unary path (.*)$", CONFIGURATION.read_text(), re.M))))
    [service] = pb.DESCRIPTOR.services_by_name.values()
    unary = {f"/{service.full_name}/{method.name}" for method in service.methods if not method.client_streaming}
    assert listed == unary | {"/grpc.health.v1.Health/Check"}


def test_other_paths_and_methods_end_at_the_front(certificates, front):
    channel = certificates.channel(front.address)
    ask = channel.unary_unary("/other.Service/Method", lambda x: x, lambda x: x)
    assert failure(lambda: ask(b"", timeout=10))[0] == "UNIMPLEMENTED"
    # What administers the server is not for those outside, whatever the server itself would say.
    administer = channel.unary_unary("/hearwire.admin.v1.AdminService/Reload", lambda x: x, lambda x: x)
    assert failure(lambda: administer(b"", timeout=10))[0] == "UNIMPLEMENTED"


def test_the_front_names_callers_and_nobody_else_does(certificates, front, server):
    stub = certificates.stub(front.address)
    tags(stub, metadata=(("x-hearwire-caller", "mallory"),))
    assert 'caller="mallory"' not in server.metrics()
    assert server.metric("hearwire_caller_calls_total", caller="127.0.0.1") >= 1
    # As the server would believe of the front's address.
    tags(server.stub, metadata=(("x-hearwire-caller", "of-the-front"),))
    assert server.metric("hearwire_caller_calls_total", caller="of-the-front") == 1


def test_a_certificate_names_its_caller(certificates, server):
    changes = {"alpn h2 proto h2": f"alpn h2 proto h2 ca-file {certificates.path('ca.pem')} verify optional"}
    with Front(certificates, [server.address], changes=changes) as front:
        tags(certificates.stub(front.address, client="client"), metadata=(("x-hearwire-caller", "mallory"),))
        assert server.metric("hearwire_caller_calls_total", caller="client") == 1
        tags(certificates.stub(front.address))
        assert failure(lambda: tags(certificates.stub(front.address, client="stranger")))[0] == "UNAVAILABLE"
        assert 'caller="mallory"' not in server.metrics()


def test_tokens_go_through_and_guesses_are_turned_away(certificates, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text(hashlib.sha256(b"secret").hexdigest() + " ingest\n")
    with Server(*BEHIND, f"--tokens-file={tokens}") as server, Front(certificates, [server.address]) as front:
        stub = certificates.stub(front.address)
        known = (("authorization", "Bearer secret"),)
        tags(stub, metadata=known)
        assert server.metric("hearwire_caller_calls_total", caller="ingest") == 1
        found = {failure(lambda: tags(stub, metadata=(("authorization", f"Bearer {i}"),))) for i in range(150)}
        assert {code for code, _ in found} == {"UNAUTHENTICATED", "RESOURCE_EXHAUSTED"}
        assert ("RESOURCE_EXHAUSTED", "too many wrong tokens from this address") in found
        assert 100 <= server.metric("hearwire_rejected_total", reason="TOKEN_UNKNOWN") <= 110


def test_calls_at_a_time_are_bounded_for_each_address(certificates, server):
    """Calls that wait do so in the client; more connections of one address do not get more."""
    with Front(certificates, [server.address], changes={"calls_of_address) gt 256": "calls_of_address) gt 8"}) as front:
        stubs = [certificates.stub(front.address) for _ in range(2)]
        streams = [stubs[i % 2].StreamEmbeddings(iter_of(start(timestamps=True)), timeout=60) for i in range(8)]
        for stream in streams:
            next(stream)
        assert failure(lambda: tags(stubs[0])) == ("RESOURCE_EXHAUSTED", "too many calls at a time from this address")
        for stream in streams:
            stream.cancel()
        wait_until(lambda: succeeds(lambda: tags(stubs[0])), what="a call after the streams")


def succeeds(call) -> bool:
    with contextlib.suppress(grpc.RpcError):
        call()
        return True
    return False


def iter_of(first, *more, hold: threading.Event | None = None):
    """Messages, and then nothing until `hold` is set."""
    yield first
    yield from more
    (hold or threading.Event()).wait(120)


SECONDS = {"timeout client 10m": "timeout client 3s", "timeout server 10m": "timeout server 3s",
           "timeout http-keep-alive 10m": "timeout http-keep-alive 3s"}


def test_a_quiet_stream_is_the_servers_to_end(certificates):
    """The default times, 1 min of the server and 10 min of the front, with seconds for minutes."""
    with Server(*BEHIND, "--stream-idle-timeout=1500ms") as server, Front(certificates, [server.address], changes=SECONDS) as front:
        stream = certificates.stub(front.address).StreamEmbeddings(iter_of(start(timestamps=True)), timeout=60)
        next(stream)
        code, words = failure(lambda: next(stream))
        if version() >= (3, 0):
            assert code == "DEADLINE_EXCEEDED" and "--stream-idle-timeout" in words
        else:
            # HAProxy 2.6 mostly forgets the status of a call that ends while its client may still send (docs/operations.md).
            assert code in ("CANCELLED", "DEADLINE_EXCEEDED")
        wait_until(lambda: 'code="DEADLINE_EXCEEDED"' in server.metrics(), what="the server's own count of it")


@pytest.mark.skipif(os.environ.get("HEARWIRE_LONG") != "1", reason="75 s: HEARWIRE_LONG=1")
def test_a_stream_of_70_quiet_seconds_goes_on(certificates):
    with Server(*BEHIND, "--stream-idle-timeout=5m") as server, Front(certificates, [server.address]) as front:
        hold = threading.Event()

        def messages():
            yield start(timestamps=True)
            yield piece(chirp(1).tobytes())
            hold.wait(120)
            yield piece(chirp(2).tobytes())

        stream = certificates.stub(front.address).StreamEmbeddings(messages(), timeout=300)
        threading.Timer(70, hold.set).start()
        begin = time.monotonic()
        kinds = [answer.WhichOneof("response") for answer in stream]
        assert kinds[-1] == "summary" and time.monotonic() - begin >= 70


def test_a_watch_of_health_is_not_ended(certificates, server):
    with Front(certificates, [server.address], changes=SECONDS) as front:
        health = health_pb2_grpc.HealthStub(certificates.channel(front.address))
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=6)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        code, words = failure(lambda: next(watch))
        assert code == "DEADLINE_EXCEEDED" and "Deadline Exceeded" in words  # The client's own.


def test_a_message_that_trickles_ends_with_the_calls_deadline(certificates, server):
    """5 min, here 2 s: the front gives a deadline to calls that bring none."""
    [attack] = [attack for attack in trial.ATTACKS if attack.name == "slow_bodies"]
    changes = {"set-header grpc-timeout 5M": "set-header grpc-timeout 2S", "calls_of_address) gt 256": "calls_of_address) gt 9999"}
    with Front(certificates, [server.address], changes=changes) as front:
        aim = trial.Target("front", server, front.address, certificates, front)
        found = trial.run(aim, dataclasses.replace(attack, seconds=5, connections=3), "127.4.1", calm_seconds=0.2, after_seconds=0)
        assert found.counts["streams_ended"] == 10 * 3 * trial.ATTACKERS
        assert found.failures == []


@contextlib.contextmanager
def callers(stubs):
    """Calls all the time, on each stub; yields the counts of calls, and raises where one failed."""
    stop, counts = threading.Event(), [0] * len(stubs)

    def call(i):
        while not stop.is_set():
            tags(stubs[i])
            counts[i] += 1

    with concurrent.futures.ThreadPoolExecutor(len(stubs)) as pool:
        running = [pool.submit(call, i) for i in range(len(stubs))]
        try:
            yield counts
        finally:
            stop.set()
        for one in running:
            one.result()


def no_retries(certificates, front):
    return certificates.stub(front.address, options=[("grpc.enable_retries", 0)])


def test_a_drain_of_one_of_two_servers_loses_no_call(certificates):
    with Server(*BEHIND, "--lame-duck=2s") as stays, contextlib.ExitStack() as stack:
        goes = stack.enter_context(Server(*BEHIND, "--lame-duck=2s"))
        front = stack.enter_context(Front(certificates, [stays.address, goes.address]))
        with callers([no_retries(certificates, front) for _ in range(3)]) as counts:
            wait_until(lambda: min(counts) > 20, what="calls")
            assert all(server.metric("hearwire_requests_total", code="OK") > 5 for server in (stays, goes))
            goes.process.send_signal(signal.SIGTERM)
            front.wait_for(1)
            assert goes.process.wait(30 * PATIENCE) == 0
            seen = list(counts)
            wait_until(lambda: all(now > then + 20 for now, then in zip(counts, seen)), what="calls of the other server")


def test_a_reload_loses_no_call_and_no_stream(certificates, server):
    hold = threading.Event()
    with Front(certificates, [server.address]) as front:
        old = front.workers()
        messages = iter_of(start(timestamps=True), piece(chirp(1).tobytes()), hold=hold)
        stream = no_retries(certificates, front).StreamEmbeddings(messages, timeout=60 * PATIENCE)
        next(stream)
        with callers([no_retries(certificates, front) for _ in range(2)]) as counts:
            wait_until(lambda: min(counts) > 10, what="calls")
            front.reload()
            wait_until(lambda: set(front.workers()) - set(old), what="a new worker")
            tags(no_retries(certificates, front))
            seen = list(counts)
            wait_until(lambda: all(now > then + 20 for now, then in zip(counts, seen)), what="calls after it")
        hold.set()
        assert [answer.WhichOneof("response") for answer in stream][-1] == "summary"
        # Nothing keeps the old worker.
        wait_until(lambda: not set(old) & set(front.workers()), 30, "the old worker's end")


# Sound in real time; the stream's end is told of as soon as it is there.
STREAM = """
import sys, time, numpy as np, hearwire
def sound():
    for _ in range(80):
        yield np.zeros(3200, np.float32)
        time.sleep(0.1)
with hearwire.Client(sys.argv[1]) as client:
    rows = 0
    for event in client.stream(sound(), 32000, timestamps=True, resume=True):
        rows += len(getattr(event, "embeddings", ()))
        print(type(event).__name__, rows, *([f"resumed {event.resumes}"] if hasattr(event, "resumes") else []), flush=True)
"""


@pytest.mark.parametrize("client", ["Python", "hearwire"])
def test_a_stream_goes_on_at_the_other_server_when_its_own_drains(certificates, client, tmp_path):
    """HAProxy 2.6 mostly loses the status by which the server tells where to go on: clients know it by themselves."""
    sound = tmp_path / "sound.raw"
    sound.write_bytes(bytes(2 * 32000 * 8))
    with Server(*BEHIND) as one, contextlib.ExitStack() as stack:
        two = stack.enter_context(Server(*BEHIND))
        front = stack.enter_context(Front(certificates, [one.address, two.address]))
        env = {**CLEAN, **secure(certificates, front), "PYTHONPATH": package()}
        command = {
            "Python": [sys.executable, "-c", STREAM, f"https://{front.address}"],
            "hearwire": [BIN / "hearwire", "stream", sound, "--real-time", "--rate=32000", "--timestamps", "--resume", "--format=jsonl"],
        }[client]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=env)
        assert "tarted" in process.stdout.readline()
        goes = one if one.metric("hearwire_open_streams") else two
        threading.Event().wait(1)
        assert goes.stop() == 0
        last = process.communicate(timeout=60 * PATIENCE)[0].splitlines()[-1]
        assert process.returncode == 0
        if client == "Python":
            assert last == "StreamSummary 161 resumed 1"
        else:
            told = json.loads(last)
            assert (told["timestamp_rows"], told["resumes"]) == (161, 1)


def readyz_in_place_of_health(server) -> dict[str, str]:
    """The change that deploy/haproxy tells of, for servers whose health asks for a token."""
    lines = CONFIGURATION.read_text().splitlines(keepends=True)
    checks = "".join(line for line in lines if line.startswith("    tcp-check "))
    told = "".join(line.replace("#   ", "") for line in lines if line.startswith("    #   tcp-check "))
    return {checks: told.replace("8002", server.metrics_address.split(":")[-1])}


def test_servers_whose_health_asks_for_a_token_are_asked_by_readyz(certificates, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text(hashlib.sha256(b"secret").hexdigest() + " ingest\n")
    with Server(*BEHIND, f"--tokens-file={tokens}", "--health-access=token", "--lame-duck=5s") as server:
        for changes, up in (({}, 0), (readyz_in_place_of_health(server), 1)):
            with Front(certificates, [server.address], changes=changes) as front:
                threading.Event().wait(2)  # HAProxy takes servers for up until it has asked them.
                assert front.servers_up() == up, front.log()
        with Front(certificates, [server.address], changes=changes) as front:
            tags(certificates.stub(front.address), metadata=(("authorization", "Bearer secret"),))
            server.process.send_signal(signal.SIGTERM)
            front.wait_for(0)
            assert server.process.poll() is None, "it was left out before it refused calls"
        assert server.process.wait(30 * PATIENCE) == 0
