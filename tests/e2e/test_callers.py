"""Who may call: tokens, what they are for, how much they may, and who is named where."""

import concurrent.futures
import hashlib
import subprocess
import threading
import time

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from hearwire_server import BIN, PATIENCE, Server, chirp, pb, pb_grpc, pcm, wait_until

SERVICE = "hearwire.v1.EmbeddingService"


def line(token: str, rest: str) -> str:
    return f"{hashlib.sha256(token.encode()).hexdigest()} {rest}\n"


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def tags(stub, metadata=(), timeout=10):
    request = pb.GetTagsRequest(clips=[pcm(chirp(0.2))], top_k=1)
    return stub.GetTags(request, timeout=timeout * PATIENCE, metadata=metadata)


def reason(error: grpc.RpcError) -> str:
    details = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert details.details[0].Unpack(info)
    return info.reason


def refusal(stub, metadata=()) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        tags(stub, metadata)
    return error.value.code(), reason(error.value)


def write(path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def start_fails(*flags) -> str:
    command = [str(BIN / "hearwire-server"), "--grpc-port=0", "--metrics-port=0", *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE)
    assert ended.returncode == 1
    return ended.stderr.strip().splitlines()[-1]


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("# ours\n" + line("secret-of-ingest", "ingest") + line("secret-of-search", "search methods=ListConfigs"))
    return path


def test_only_those_with_a_token_get_in(tokens):
    with Server(f"--tokens-file={tokens}", "--log-level=debug") as server:
        assert len(tags(server.stub, bearer("secret-of-ingest")).clips) == 1
        assert refusal(server.stub) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
        assert refusal(server.stub, bearer("guess-of-mallory")) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")
        denied = grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED"
        assert refusal(server.stub, bearer("secret-of-search")) == denied
        configs = server.stub.ListConfigs(pb.ListConfigsRequest(), timeout=10, metadata=bearer("secret-of-search"))
        assert configs.configs
        with pytest.raises(grpc.RpcError):
            server.stub.ListConfigs(pb.ListConfigsRequest(), timeout=10)
        # Health is open, and reflection is not there.
        health = health_pb2_grpc.HealthStub(server.channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=10).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as error:
            list(ProtoReflectionDescriptorDatabase(server.channel).get_services())
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
        # Who called is in the log and in the metrics; what proves it is in neither.
        assert "caller=ingest" in server.log()
        assert server.metric("hearwire_caller_calls_total", caller="ingest") == 1
        assert server.metric("hearwire_caller_audio_seconds_total", caller="ingest") == pytest.approx(0.2, abs=0.01)
        assert server.metric("hearwire_caller_cpu_seconds_total", caller="ingest") > 0
        for word in "secret-of", "guess-of", hashlib.sha256(b"secret-of-ingest").hexdigest()[:12]:
            assert word not in server.log() and word not in server.metrics()


def test_health_and_reflection_are_as_the_flags_say(tokens):
    with Server(f"--tokens-file={tokens}", "--health-access=token", "--reflection=on") as server:
        assert SERVICE in list(ProtoReflectionDescriptorDatabase(server.channel).get_services())
        health = health_pb2_grpc.HealthStub(server.channel)
        request = health_pb2.HealthCheckRequest()
        with pytest.raises(grpc.RpcError) as error:
            health.Check(request, timeout=10)
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.RpcError) as error:
            next(health.Watch(request, timeout=10))
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
        metadata = bearer("secret-of-search")
        assert health.Check(request, timeout=10, metadata=metadata).status == health_pb2.HealthCheckResponse.SERVING
        watch = health.Watch(request, timeout=10, metadata=metadata)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
    with Server("--reflection=off") as server:
        with pytest.raises(grpc.RpcError):
            list(ProtoReflectionDescriptorDatabase(server.channel).get_services())


def test_tokens_are_rotated_under_load_without_a_failed_call(tokens):
    with Server(f"--tokens-file={tokens}") as server:
        stop, current = threading.Event(), ["secret-of-ingest"]
        calls = [0]

        def call():
            while not stop.is_set():
                tags(server.stub, bearer(current[0]))
                calls[0] += 1

        with concurrent.futures.ThreadPoolExecutor() as pool:
            running = [pool.submit(call) for _ in range(2)]
            try:
                wait_until(lambda: calls[0] > 5, what="calls with the old token")
                write(tokens, line("secret-of-ingest", "ingest") + line("next", "ingest"))
                wait_until(lambda: "new tokens in use tokens=2" in server.log(), what="both tokens")
                current[0] = "next"
                seen = calls[0]
                wait_until(lambda: calls[0] > seen + 5, what="calls with the new token")
                write(tokens, line("next", "ingest"))
                wait_until(lambda: "new tokens in use tokens=1" in server.log(), what="the new token alone")
                assert refusal(server.stub, bearer("secret-of-ingest"))[1] == "TOKEN_UNKNOWN"
                write(tokens, "nonsense\n")
                wait_until(lambda: "new tokens refused, the old ones stay in use" in server.log(), what="the refusal")
                seen = calls[0]
                wait_until(lambda: calls[0] > seen + 5, what="calls beside a wrong file")
            finally:
                stop.set()
            for one in running:
                one.result()


def test_guesses_leave_a_trace_in_a_metric(tokens):
    guesses = 10_000
    with Server(f"--tokens-file={tokens}") as server:
        request = pb.GetTagsRequest()
        waiting: set = set()
        for i in range(guesses):
            waiting.add(server.stub.GetTags.future(request, metadata=bearer(f"guess-{i}")))
            if len(waiting) >= 200:
                for call in waiting:
                    assert call.code() == grpc.StatusCode.UNAUTHENTICATED
                waiting = set()
        for call in waiting:
            assert call.code() == grpc.StatusCode.UNAUTHENTICATED
        assert server.metric("hearwire_rejected_total", reason="TOKEN_UNKNOWN") == guesses
        code = grpc.StatusCode.UNAUTHENTICATED.name
        assert server.metric("hearwire_requests_total", method="GetTags", code=code) == guesses
        # They grow nothing: neither the log nor the list of callers.
        assert "guess-" not in server.metrics() and server.log().count("\n") < 50
        assert len(tags(server.stub, bearer("secret-of-ingest")).clips) == 1


def test_tokens_do_not_travel_in_the_clear_unless_told_to(tokens, certificates):
    line_ = start_fails("--host=0.0.0.0", f"--tokens-file={tokens}")
    assert "--tokens-file without TLS on 0.0.0.0" in line_ and "--plaintext-tokens=allow" in line_
    with Server("--host=0.0.0.0", f"--tokens-file={tokens}", "--plaintext-tokens=allow") as server:
        assert len(tags(server.stub, bearer("secret-of-ingest")).clips) == 1
    with Server("--host=0.0.0.0", f"--tokens-file={tokens}", *certificates.server_flags()) as server:
        address = server.address.replace("0.0.0.0", "127.0.0.1")
        assert len(tags(certificates.stub(address), bearer("secret-of-ingest")).clips) == 1
        assert refusal(certificates.stub(address))[1] == "TOKEN_MISSING"


def test_a_wrong_file_of_tokens_ends_the_start_and_is_not_quoted(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("my-secret-token ingest\n")
    said = start_fails(f"--tokens-file={path}")
    assert f"--tokens-file {path}: line 1" in said and "my-secret" not in said
    assert "cannot be read" in start_fails(f"--tokens-file={tmp_path / 'none'}")
    assert '--trusted-proxies: "front" will not do' in start_fails("--trusted-proxies=front")


def test_a_certificate_names_its_caller(certificates):
    flags = [*certificates.server_flags(), f"--tls-client-ca={certificates.path('ca.pem')}"]
    with Server(*flags, "--log-level=debug") as server:
        tags(certificates.stub(server.address, client="client"))
        assert server.metric("hearwire_caller_calls_total", caller="spiffe://tests/client") == 1
        assert "caller=spiffe://tests/client" in server.log()


def test_a_trusted_proxy_names_callers_and_nobody_else_does():
    header = (("x-hearwire-caller", "team-a"),)
    with Server("--trusted-proxies=127.0.0.1", "--caller-calls-per-minute=1") as server:
        tags(server.stub, header)
        assert refusal(server.stub, header) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_LIMIT")
        tags(server.stub, (("x-hearwire-caller", "team-b"),))
        assert server.metric("hearwire_caller_calls_total", caller="team-a") == 2
        assert server.metric("hearwire_rejected_total", reason="CALLER_LIMIT") == 1
    with Server("--trusted-proxies=10.0.0.0/8", "--caller-calls-per-minute=1") as server:
        tags(server.stub, header)
        assert refusal(server.stub, (("x-hearwire-caller", "team-b"),))[1] == "CALLER_LIMIT"
        assert server.metric("hearwire_caller_calls_total", caller="127.0.0.1") == 2


def test_callers_that_compete_get_by_their_weight(tmp_path):
    """Each wants more than it gets, all the time."""
    file = tmp_path / "tokens"
    file.write_text(line("a", "light") + line("b", "heavy weight=8"))
    request = pb.GetTagsRequest(clips=[pcm(chirp(20))], top_k=1)
    with Server(f"--tokens-file={file}", "--workers=1", "--max-queue-time=1h") as server:
        answered = {"a": 0, "b": 0}
        over = threading.Event()

        def call(token: str) -> None:
            while not over.is_set():
                server.stub.GetTags(request, timeout=60 * PATIENCE, metadata=bearer(token))
                answered[token] += 1

        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            calls = [pool.submit(call, token) for token in "ab" for _ in range(12)]
            try:
                wait_until(lambda: sum(answered.values()) >= 100, 60, "the end of 100 calls")
                counts = dict(answered)
            finally:
                over.set()
            for ended in calls:
                ended.result()
        assert counts["b"] > 3 * counts["a"], counts


def test_a_refused_caller_gets_in_again_when_it_was_told():
    with Server("--caller-calls-per-minute=60") as server:
        for _ in range(60):
            tags(server.stub)
        with pytest.raises(grpc.RpcError) as error:
            while True:
                tags(server.stub)
        wait = int(dict(error.value.trailing_metadata())["grpc-retry-pushback-ms"]) / 1000
        assert 0 < wait <= 1.05
        time.sleep(wait + 0.05)
        tags(server.stub)
