"""What long audio and unread replies take of the server's memory: tests/bench/{long_audio,slow_readers}.py, in small."""

from __future__ import annotations

import os
import pathlib
import sys
import threading

import grpc
import hearwire_server
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

import long_audio
import slow_readers
from processes import memory

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("HEARWIRE_SANITIZE")), reason="a sanitizer's own memory is larger than what is measured")

CONFIG = "hearwire_mn01_all_b_mel_avgs"


@pytest.mark.parametrize("kind", ["scene", "timestamps"])
def test_ten_minutes_take_hardly_more_memory_than_one(kind: str) -> None:
    uses = [long_audio.measure(hearwire_server, kind, CONFIG, long_audio.sound(seconds)) for seconds in (60, 600)]
    # Held at once, its samples and their spectrogram would be 107 MB more.
    assert uses[1].beyond_messages(2) - uses[0].beyond_messages(2) < 40e6, uses


@pytest.mark.skipif(not slow_readers.can_lie_about_memory(), reason="mounting over /proc/meminfo takes root")
def test_unread_replies_are_refused_by_the_count_of_their_bytes() -> None:
    outcome = slow_readers.run(hearwire_server, calls=60, reply_mb=4, memory_mb=256)
    # A quarter of the memory is for calls; a reply holds twice its bytes until it has left: 8 have room. A few more
    # leave into the buffers of their callers.
    assert outcome.computed <= 12, outcome
    assert outcome.refused_for_memory >= 36, outcome
    assert outcome.others_refused == 0, outcome
    assert outcome.peak_kb * 1024 < 0.75 * outcome.limit_bytes, outcome
    assert outcome.metrics_answer, outcome
    assert outcome.call_after == "OK", outcome


# Messages of 20 MB of which protobuf would make 0.2 to 1.3 GB: empty clips, heads without names, unknown fields of each
# kind, nested ones. And one whose unknown field is large.
BOMBS = {
    "empty clips": b"\x12\x00" * (10 << 20),
    "empty names": b"\x0a\x00" * (10 << 20),
    "unknown bytes": b"\x7a\x00" * (10 << 20),
    "unknown numbers": b"\x78\x00" * (10 << 20),
    "unknown groups": b"\x7b\x7c" * (10 << 20),
    "a clip of unknown fields": b"\x12\x80\x80\x80\x05" + b"\x7a\x00" * (5 << 20),
}
MODEL = b"\x0a\x22hearwire_mn01_all_b_mel_avgs.scene"
INFERENCE_BOMBS = {
    "empty parameters": b"\x22\x00" * (10 << 20),
    "empty inputs": b"\x2a\x00" * (10 << 20),
    "empty raw contents": b"\x3a\x00" * (10 << 20),
    "a shape of many sizes": MODEL + b"\x2a\x85\x80\x80\x0a\x1a\x80\x80\x80\x0a" + b"\x01" * (20 << 20),
    "integers of a byte": MODEL + b"\x2a\x8a\x80\x80\x0a\x2a\x85\x80\x80\x0a\x12\x80\x80\x80\x0a" + b"\x01" * (20 << 20),
}
METHODS = ["GetTags", "Classify", "ListConfigs", "StreamEmbeddings", "ModelInfer", "ModelMetadata"]


@pytest.mark.parametrize("method", METHODS)
def test_a_message_of_small_fields_takes_no_more_than_its_bytes(method: str) -> None:
    with hearwire_server.Server("--device=cpu") as server:
        make = server.channel.stream_unary if method.startswith("Stream") else server.channel.unary_unary
        service = "inference.GRPCInferenceService" if method.startswith("Model") else "hearwire.v1.EmbeddingService"
        call = make(f"/{service}/{method}")
        calm = memory(server.process.pid)["VmHWM"]
        for name, bomb in (BOMBS | (INFERENCE_BOMBS if method == "ModelInfer" else {})).items():
            if name == "a clip of unknown fields" and method in ("ListConfigs", "ModelInfer", "ModelMetadata"):
                continue  # They know no clips there: one field.
            with pytest.raises(grpc.RpcError) as error:
                call(iter([bomb]) if method.startswith("Stream") else bomb, timeout=60)
            assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT, (name, error.value)
        # A message comes in slices, which are twice its bytes for a while; several may wait to be given back.
        assert memory(server.process.pid)["VmHWM"] - calm < 100_000, "kB"


# Methods whose requests are a name.
SMALL = {"/grpc.health.v1.Health/Check": "unary_unary", "/grpc.health.v1.Health/Watch": "unary_stream",
         "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "stream_stream"}


@pytest.mark.parametrize("method", SMALL)
def test_health_and_reflection_make_nothing_of_large_requests(method: str) -> None:
    """Of 62 MB of unknown fields, and of names as large: protobuf made 2 GB of the first."""
    with hearwire_server.Server("--device=cpu") as server:
        calm = memory(server.process.pid)
        for bomb in (b"\x7a\x00" * (31 << 20), b"\x0a\x80\x80\x80\x1f" + b"a" * (62 << 20)):
            for _ in range(5):
                call = getattr(server.channel, SMALL[method])(method)
                request = iter([bomb]) if SMALL[method] == "stream_stream" else bomb
                with pytest.raises(grpc.RpcError) as error:
                    answer = call(request, timeout=60)
                    if not isinstance(answer, bytes):
                        next(answer)
                assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT, error.value
                assert "at most 4096" in error.value.details()
        after = memory(server.process.pid)
        # What gRPC itself holds of a message that arrives, two slices of which may wait to be given back.
        assert after["VmHWM"] - calm["VmHWM"] < 200_000, f"kB: {calm} before, {after} after"
        hearwire_server.wait_until(
            lambda: memory(server.process.pid)["VmRSS"] < 2 * calm["VmRSS"], 60, "the memory of calm")
        health = health_pb2_grpc.HealthStub(server.channel)
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING


def test_an_open_stream_keeps_no_unknown_bytes() -> None:
    padding = b"\x7a\x80\x80\x40" + bytes(1 << 20)  # 1 MiB in a field that no version has.
    start = hearwire_server.pb.StreamEmbeddingsRequest(start=dict(
        encoding=1, sample_rate_hertz=32000, timestamps=True)).SerializeToString() + padding
    with hearwire_server.Server("--device=cpu") as server:
        calm = memory(server.process.pid)["VmRSS"]
        over = threading.Event()

        def messages():
            yield start
            over.wait(60)

        make = server.channel.stream_stream("/hearwire.v1.EmbeddingService/StreamEmbeddings")
        calls = [make(messages(), timeout=120) for _ in range(40)]
        for call in calls:
            next(call)
        held = memory(server.process.pid)["VmRSS"] - calm
        over.set()
        assert held < 25_000, "kB: 40 times the padding is 42 MB"


def test_memory_goes_back_after_a_storm() -> None:
    with hearwire_server.Server("--device=cpu", "--max-queue-time=1h") as server:
        pb, pcm = hearwire_server.pb, hearwire_server.pcm
        noise = np.random.default_rng(0).normal(0, 0.1, 32000 * 60).astype(np.float32)

        def call(seconds: int) -> None:
            request = pb.GetTimestampEmbeddingsRequest(clips=[pcm(noise[: 32000 * seconds])])
            server.stub.GetTimestampEmbeddings(request, timeout=300)

        def resident() -> float:
            return server.metric("process_resident_memory_bytes")

        for _ in range(20):
            call(2)
        calm = resident()
        threads = [threading.Thread(target=lambda i=i: [call((5, 30, 60)[i % 3]) for _ in range(2)]) for i in range(40)]
        for thread in threads:
            thread.start()
        peak = calm
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, resident())
        assert peak > 3 * calm, "it was a storm"
        # Measured: 1.2 to 1.3 times, after two seconds. Left to the allocator it stays at five times.
        hearwire_server.wait_until(lambda: resident() < 2 * calm, 30, "the memory of calm")
