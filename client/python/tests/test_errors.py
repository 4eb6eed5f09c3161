"""Failures, retries and deadlines, against a scripted server."""

import asyncio
import pickle
import re
import socket
import sys
import threading
import time

import grpc
import numpy as np
import pytest
from scripted_server import ScriptedServer, bad_request, error_info, fail, retry_info, scene_reply

import hearwire
from hearwire import _calls
from hearwire._own_server import OwnServer
from hearwire.v1 import embedding_pb2 as pb

CLIP = [b"RIFF"]


def test_a_failure_carries_all_that_the_server_says(scripted):
    def answer(request, context):
        details = [
            error_info("INVALID_AUDIO", config="mn10"),
            bad_request("clips[0].encoded", "it is no sound"),
            retry_info(1.5),
        ]
        fail(context, grpc.StatusCode.INVALID_ARGUMENT, "clips[0].encoded: it is no sound", details)

    scripted.answer = answer
    with hearwire.Client(scripted.address) as client, pytest.raises(hearwire.HearwireError) as caught:
        client.get_scene_embeddings(CLIP)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert error.code is grpc.StatusCode.INVALID_ARGUMENT
        assert error.message == "clips[0].encoded: it is no sound"
        assert str(error) == "INVALID_ARGUMENT: clips[0].encoded: it is no sound"
        assert error.reason == "INVALID_AUDIO"
        assert error.metadata == {"config": "mn10"}
        assert error.field_violations == (hearwire.FieldViolation("clips[0].encoded", "it is no sound"),)
        assert error.retry_delay == pytest.approx(1.5)
        assert error.request_id == "id-7"
        assert not error.unreachable


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_large_requests_are_made_again_too(scripted, code):
    def answer(request, context):
        if scripted.requests < 3:
            fail(context, code, "later", [error_info("QUEUE_FULL")], pushback_ms=1)
        return scene_reply(request)

    scripted.answer = answer
    clip = bytes(20 << 20)
    with hearwire.Client(scripted.address) as client:
        assert client.get_scene_embeddings([clip]).embeddings[0, 1] == len(clip)
    assert scripted.requests == 3


@pytest.mark.parametrize("max_attempts", [1, 2, 4])
def test_a_call_is_made_max_attempts_times_at_most(scripted, max_attempts):
    scripted.answer = lambda request, context: fail(context, grpc.StatusCode.UNAVAILABLE, "no", [], pushback_ms=1)
    with hearwire.Client(scripted.address, max_attempts=max_attempts) as client:
        with pytest.raises(hearwire.HearwireError):
            client.get_scene_embeddings(CLIP)
    assert scripted.requests == max_attempts


def test_a_pushback_of_minus_1_is_not_retried(scripted):
    scripted.answer = lambda request, context: fail(
        context, grpc.StatusCode.RESOURCE_EXHAUSTED, "too large", [error_info("REPLY_TOO_LARGE")], pushback_ms=-1
    )
    with hearwire.Client(scripted.address) as client, pytest.raises(hearwire.HearwireError) as caught:
        client.get_scene_embeddings(CLIP)
    assert caught.value.reason == "REPLY_TOO_LARGE"
    assert scripted.requests == 1


def test_every_call_has_a_deadline(scripted):
    end = threading.Event()
    scripted.answer = lambda request, context: end.wait(20)
    with hearwire.Client(scripted.address, deadline=0.2) as client, pytest.raises(hearwire.HearwireError) as caught:
        client.get_scene_embeddings(CLIP)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "within 0.2 s" in caught.value.message
    with hearwire.Client(scripted.address) as client, pytest.raises(hearwire.HearwireError, match="within 0.1 s"):
        client.get_scene_embeddings(CLIP, deadline=0.1)
    end.set()


def test_the_default_deadline_reaches_the_server(scripted):
    left = []

    def answer(request, context):
        left.append(context.time_remaining())
        return scene_reply(request)

    scripted.answer = answer
    with hearwire.Client(scripted.address) as client:
        client.get_scene_embeddings(CLIP)
    assert left[0] == pytest.approx(30, abs=5)


def test_no_server_is_said_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        start = time.monotonic()
        with hearwire.Client(address, max_attempts=1) as client, pytest.raises(hearwire.HearwireError) as caught:
            client.get_scene_embeddings(CLIP)
    assert caught.value.unreachable
    assert f"no server at {address}" in caught.value.message
    assert time.monotonic() - start < 10


def test_a_name_that_nobody_knows_is_unreachable(kind):
    with kind("no-such-host.invalid:1", max_attempts=1) as client, pytest.raises(hearwire.HearwireError) as caught:
        client.list_configs()
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert caught.value.unreachable
    assert caught.value.message == "the server's address no-such-host.invalid:1 has a name that cannot be resolved"


def test_a_url_is_no_address(kind, monkeypatch):
    with pytest.raises(ValueError, match="http://127.0.0.1:8001 is a URL: HOST:PORT would be right"):
        kind("http://127.0.0.1:8001")
    monkeypatch.setenv("HEARWIRE_SERVER", "ftp://example.com")
    with pytest.raises(ValueError, match="ftp://example.com is a URL"):
        kind()
    for address in ("dns:///localhost:1", "unix:///no/such/socket", "ipv4:127.0.0.1:1"):
        with kind(address):
            pass


def test_the_metrics_port_is_said_not_to_speak_grpc(kind):
    server = OwnServer([])
    try:
        address = re.search(r"^metrics listening on (\S+)$", server.last_words(), re.MULTILINE).group(1)
        with kind(address, max_attempts=1) as client, pytest.raises(hearwire.HearwireError) as caught:
            client.list_configs()
    finally:
        server.stop()
    assert caught.value.message == f"what answers at {address} is not a Hearwire server: it does not speak gRPC"
    assert caught.value.unreachable


def test_another_http2_server_is_said_not_to_speak_grpc(kind):
    def serve(listener):
        with listener.accept()[0] as connection:
            connection.sendall(b"\0\0\0\4\0\0\0\0\0")  # Empty settings.
            received = b""
            while b"ListConfigs" not in received:
                received += connection.recv(4096)
            # On stream 1, headers with :status 404 that end it.
            connection.sendall(b"\0\0\1\1\5\0\0\0\1\x8d")
            while connection.recv(4096):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with kind(address, max_attempts=1) as client, pytest.raises(hearwire.HearwireError) as caught:
            client.list_configs()
    expected = f"what answers at {address} is not a Hearwire server: it speaks HTTP, not gRPC (status 404)"
    assert caught.value.message == expected


def test_a_request_over_the_limit_is_not_sent(scripted):
    with hearwire.Client(scripted.address, max_message_bytes=1000) as client:
        with pytest.raises(hearwire.HearwireError, match=r"\(1000 bytes, its max_message_bytes\)") as caught:
            client.get_scene_embeddings([bytes(1001)])
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert scripted.requests == 0


def test_nothing_is_uploaded_that_the_server_would_refuse_as_too_large(kind):
    with ScriptedServer(max_request_bytes=2_000_000) as server, kind(server.address) as client:
        server.limits = pb.Limits(max_message_bytes=2_000_000)
        for _ in range(2):
            expected = rf"server at {server.address} takes \(2000000 bytes, its --max-message-bytes\)"
            with pytest.raises(hearwire.HearwireError, match=expected) as caught:
                client.get_scene_embeddings([bytes(3_000_000)])
            assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert server.lists == 2  # Each time: it may have been started with another limit since.
        assert server.requests == 0


def test_a_server_is_asked_once_for_its_limit(scripted, kind):
    scripted.limits = pb.Limits(max_message_bytes=64_000_000, max_clips=7)
    with kind(scripted.address) as client:
        client.get_scene_embeddings(CLIP)
        assert scripted.lists == 0
        for _ in range(3):
            client.get_scene_embeddings([bytes(2_000_000)])
        assert scripted.lists == 1
        assert client.get_limits().max_clips == 7


def test_a_server_that_tells_no_limits_gets_large_requests(scripted, kind):
    for limits in (None, pb.Limits()):
        scripted.limits = limits
        with kind(scripted.address) as client:
            for _ in range(2):
                client.get_scene_embeddings([bytes(2_000_000)])
    assert scripted.lists == 2
    assert scripted.requests == 4


def test_replies_over_grpcs_own_limit_arrive(scripted):
    rows = np.zeros((1, 2_000_000), "<f4")
    matrix = pb.Matrix(rows=1, columns=rows.size, element_type=pb.ELEMENT_TYPE_FLOAT32, data=rows.tobytes())
    scripted.answer = lambda request, context: pb.GetSceneEmbeddingsResponse(embeddings=matrix)
    with hearwire.Client(scripted.address) as client:
        assert client.get_scene_embeddings(CLIP).embeddings.shape == rows.shape


def test_a_reply_over_the_clients_limit_is_an_error(scripted, kind):
    matrix = pb.Matrix(rows=1, columns=1000, element_type=pb.ELEMENT_TYPE_FLOAT32, data=bytes(4000))
    scripted.answer = lambda request, context: pb.GetSceneEmbeddingsResponse(embeddings=matrix)
    with kind(scripted.address, max_reply_bytes=5000) as client:
        assert client.get_scene_embeddings(CLIP).embeddings.shape == (1, 1000)
    with kind(scripted.address, max_reply_bytes=3000) as client, pytest.raises(hearwire.HearwireError) as caught:
        client.get_scene_embeddings(CLIP)
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "a reply of 40" in caught.value.message and "(3000 bytes, its max_reply_bytes)" in caught.value.message
    assert scripted.requests == 2


def test_a_request_over_the_servers_limit_names_its_flag(kind):
    with ScriptedServer(max_request_bytes=1000) as server, kind(server.address, max_attempts=1) as client:
        with pytest.raises(hearwire.HearwireError, match=r"\(1000 bytes, its --max-message-bytes\)") as caught:
            client.get_scene_embeddings([bytes(1001)])
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert f"the server at {server.address}" in caught.value.message


@pytest.mark.parametrize("used_before", [False, True])
def test_a_closed_client_says_so(scripted, kind, used_before):
    client = kind(scripted.address)
    with client:
        if used_before:
            client.get_scene_embeddings(CLIP)
        client.close()
        client.close()
        for call in (
            lambda: client.get_scene_embeddings(CLIP),
            lambda: client.list_configs(),
            lambda: client.check_health(),
            lambda: client.reload(),
        ):
            with pytest.raises(hearwire.HearwireError, match=f"client of {scripted.address} is closed") as caught:
                call()
            assert caught.value.code is grpc.StatusCode.CANCELLED
            assert not caught.value.unreachable


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a task does not know whether it was cancelled")
@pytest.mark.parametrize("cancelled", [False, True])
def test_closing_under_a_call_on_a_loop_is_an_error_and_cancelling_its_task_is_not(scripted, cancelled):
    asked, end = threading.Event(), threading.Event()
    scripted.answer = lambda request, context: asked.set() or end.wait(20)

    async def close_under_a_call():
        client = hearwire.AsyncClient(scripted.address)
        call = asyncio.create_task(client.get_scene_embeddings(CLIP))
        await asyncio.get_running_loop().run_in_executor(None, asked.wait, 20)
        if cancelled:
            call.cancel()
        await client.close()
        await call

    with pytest.raises(asyncio.CancelledError if cancelled else hearwire.HearwireError) as caught:
        asyncio.run(close_under_a_call())
    assert cancelled or caught.value.code is grpc.StatusCode.CANCELLED
    end.set()


def test_the_replies_of_a_closed_client_say_so(scripted):
    client = hearwire.Client(scripted.address)
    client.close()
    (error,) = client.map_scene_embeddings(CLIP).including_errors()
    assert "is closed" in str(error)


def test_a_client_that_is_closed_while_it_calls_says_so(scripted, monkeypatch):
    client = hearwire.Client(scripted.address)
    check = client._check_open

    def check_and_close():
        check()
        client.close()

    monkeypatch.setattr(client, "_check_open", check_and_close)
    with pytest.raises(hearwire.HearwireError, match="is closed"):
        client.get_scene_embeddings(CLIP)


@pytest.mark.parametrize(
    "matrix",
    [
        pb.Matrix(rows=1, columns=2, element_type=pb.ELEMENT_TYPE_FLOAT32, data=bytes(7)),
        pb.Matrix(rows=2, columns=1, element_type=pb.ELEMENT_TYPE_FLOAT32, data=bytes(8)),
        pb.Matrix(rows=1, columns=2, element_type=pb.ELEMENT_TYPE_UNSPECIFIED, data=bytes(8)),
    ],
    ids=["bytes", "clips", "element type"],
)
def test_a_reply_that_contradicts_itself_is_an_error(scripted, matrix):
    scripted.answer = lambda request, context: pb.GetSceneEmbeddingsResponse(embeddings=matrix)
    with hearwire.Client(scripted.address) as client, pytest.raises(hearwire.HearwireError) as caught:
        client.get_scene_embeddings(CLIP)
    assert caught.value.code is grpc.StatusCode.INTERNAL
    assert "contradicts itself" in caught.value.message


def test_embeddings_and_timestamps_must_be_as_many():
    matrix = pb.Matrix(rows=2, columns=1, element_type=pb.ELEMENT_TYPE_FLOAT32, data=bytes(8))
    clip = pb.TimestampEmbeddings(embeddings=matrix, timestamps_ms=[0.0])
    call = _calls.timestamp_embeddings(CLIP, "", None, np.float32)
    with pytest.raises(hearwire.HearwireError, match="1 timestamps for 2 embeddings"):
        call.decode(pb.GetTimestampEmbeddingsResponse(clips=[clip]), "")


@pytest.mark.parametrize(
    "options",
    [{"deadline": 0}, {"deadline": float("inf")}, {"max_attempts": 0}, {"max_attempts": 6}, {"max_message_bytes": 0}]
    + [{"max_reply_bytes": 0}, {"max_reply_bytes": 2**31}, {"deadline": float("nan")}, {"deadline": 1e10}],
)
def test_wrong_options_are_refused(kind, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        kind("127.0.0.1:1", **options)


def test_a_deadline_may_be_as_long_as_is_said_and_no_longer(scripted, kind):
    with kind(scripted.address) as client:
        assert len(client.get_scene_embeddings(CLIP, deadline=1e9).embeddings) == 1
        with pytest.raises(ValueError, match="deadline=1000000001: .* at most 1000000000 seconds"):
            client.get_scene_embeddings(CLIP, deadline=1_000_000_001)
    assert scripted.requests == 1
