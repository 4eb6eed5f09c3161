"""The access log, traces of callers, and compressed requests."""

import json
import re

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2

from hearwire_server import PATIENCE, Server, chirp, pb, pcm, wait_until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = (("traceparent", f"00-{TRACE}-{SPAN}-01"),)


def scene(stub, metadata=(), clips=None, compression=None):
    request = pb.GetSceneEmbeddingsRequest(clips=[pcm(chirp(0.5))] if clips is None else clips)
    return stub.GetSceneEmbeddings.with_call(
        request, timeout=20 * PATIENCE, metadata=metadata, compression=compression
    )


def stream(stub, metadata=()):
    def messages():
        start = pb.StreamStart(encoding=pb.Pcm.ENCODING_FLOAT32, sample_rate_hertz=32000, channel_count=1, timestamps=True)
        yield pb.StreamEmbeddingsRequest(start=start)
        yield pb.StreamEmbeddingsRequest(samples=chirp(1).astype("<f4").tobytes())

    return list(stub.StreamEmbeddings(messages(), timeout=20 * PATIENCE, metadata=metadata))


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_call_leaves_a_line(tmp_path):
    path = tmp_path / "access.log"
    with Server(f"--access-log={path}") as server:
        reply, _ = scene(server.stub, TRACED)
        with pytest.raises(grpc.RpcError):
            scene(server.stub, clips=[])
        messages = stream(server.stub)
        wait_until(lambda: len(lines(path)) == 3, what="three lines")
        good, bad, streamed = lines(path)
        assert (good["method"], good["code"], good["clips"]) == ("GetSceneEmbeddings", "OK", 1)
        assert good["caller"] == "127.0.0.1" and good["config"] == reply.space.config
        assert good["audio_seconds"] == pytest.approx(0.5, abs=0.01)
        assert good["request_bytes"] == pytest.approx(64000, abs=100)
        assert good["reply_bytes"] == reply.ByteSize()
        assert good["total_seconds"] >= good["inference_seconds"] > 0
        assert (good["trace_id"], good["parent_span_id"], good["trace_flags"]) == (TRACE, SPAN, "01")
        assert (bad["code"], bad["reason"]) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert "trace_id" not in bad
        assert (streamed["method"], streamed["code"]) == ("StreamEmbeddings", "OK")
        assert streamed["request_bytes"] == 128000
        assert streamed["reply_bytes"] == sum(message.ByteSize() for message in messages)
        # It is rotated by being moved.
        path.rename(tmp_path / "access.log.1")
        wait_until(path.exists, what="a new file")
        scene(server.stub)
        wait_until(lambda: len(lines(path)) == 1, what="a line in it")
        scene(server.stub)
    assert len(lines(path)) == 2, "the last line is written before the end"


def test_standard_output_takes_the_lines_too():
    with Server("--access-log=-") as server:
        scene(server.stub)
        wait_until(lambda: any(line.startswith("{") for line in server.lines), what="a line")
        assert json.loads(next(line for line in server.lines if line.startswith("{")))["code"] == "OK"


def test_a_trace_goes_on():
    with Server("--log-level=debug") as server:
        _, call = scene(server.stub, TRACED)
        passed = dict(call.trailing_metadata())["traceparent"]
        child = re.fullmatch(f"00-{TRACE}-([0-9a-f]{{16}})-01", passed).group(1)
        assert child != SPAN
        wait_until(lambda: f"trace_id={TRACE} span_id={child}" in server.log(), what="the line of the log")
        with pytest.raises(grpc.RpcError) as error:
            scene(server.stub, TRACED, clips=[])
        trailers = dict(error.value.trailing_metadata())
        details = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        assert details.details[0].Unpack(info)
        assert info.metadata["trace_id"] == TRACE
        assert trailers["traceparent"] == f"00-{TRACE}-{info.metadata['span_id']}-01"
        for wrong in (("traceparent", "nonsense"),), ():
            _, call = scene(server.stub, wrong)
            assert "traceparent" not in dict(call.trailing_metadata())


def memory(server) -> int:
    """The most that it has held so far, in bytes."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) << 10


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_request_is_refused_before_it_is_inflated(algorithm):
    with Server() as server:
        scene(server.stub)
        before = memory(server)
        bomb = [pb.Audio(encoded=bytes(300 << 20))]  # Some 300 kB on the wire.
        with pytest.raises(grpc.RpcError) as error:
            scene(server.stub, clips=bomb, compression=algorithm)
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert memory(server) - before < 60 << 20
        # The connection and the server go on.
        assert scene(server.stub)[0].embeddings.rows == 1
        assert np.all(np.isfinite(np.frombuffer(scene(server.stub)[0].embeddings.data, "<f4")))
