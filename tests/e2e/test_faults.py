"""What becomes of callers when their neighbours' windows break the backend: the real server over a native backend that
fails on windows of silence (tests/server/faulty_server.cc)."""

from __future__ import annotations

import pathlib
import threading

import grpc
import numpy as np
import pytest
from test_lifecycle import error_reason

from hearwire_server import BIN, PATIENCE, Server, array, chirp, pb, pcm, wait_until

FAULTY_SERVER = BIN.parent / "tests/faulty_server"
SILENCE = np.zeros(32000, dtype=np.float32)


@pytest.fixture
def fault(tmp_path: pathlib.Path) -> pathlib.Path:
    """The file that says what goes wrong: nothing yet."""
    file = tmp_path / "fault"
    file.write_text("")
    return file


def start(fault: pathlib.Path, *flags: str) -> Server:
    return Server("--backend=native", *flags, env={"FAULT_FILE": str(fault)}, program=FAULTY_SERVER)


def embed(server: Server, *clips: np.ndarray) -> list[np.ndarray]:
    request = pb.GetTimestampEmbeddingsRequest(clips=[pcm(clip) for clip in clips])
    reply = server.stub.GetTimestampEmbeddings(request, timeout=60 * PATIENCE)
    return [array(clip.embeddings) for clip in reply.clips]


@pytest.mark.parametrize(
    "kind, code, reason",
    [
        ("throw", grpc.StatusCode.INTERNAL, "INTERNAL"),
        ("throw 7", grpc.StatusCode.INTERNAL, "INTERNAL"),
        ("memory", grpc.StatusCode.RESOURCE_EXHAUSTED, "DEVICE_MEMORY"),
        ("memory 7", grpc.StatusCode.RESOURCE_EXHAUSTED, "DEVICE_MEMORY"),
        ("nan", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_AUDIO"),
        ("nan 7", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_AUDIO"),
    ],
)
def test_neighbours_of_a_call_that_breaks_the_backend_get_their_right_rows(
    fault: pathlib.Path, kind: str, code: grpc.StatusCode, reason: str
) -> None:
    with start(fault, "--max-queue-time=1h", "--max-queue-delay=20ms") as server:
        sounds = [chirp(1.0, low=80 + 10 * i) for i in range(6)]
        right = [embed(server, sound)[0] for sound in sounds]
        fault.write_text(kind)
        wrong, stop = [], threading.Event()
        calls = [0] * len(sounds)

        def call_on(i: int) -> None:
            while not stop.is_set() or calls[i] == 0:
                if not np.array_equal(embed(server, sounds[i])[0], right[i]):
                    wrong.append(i)
                calls[i] += 1

        threads = [threading.Thread(target=call_on, args=(i,)) for i in range(len(sounds))]
        for thread in threads:
            thread.start()
        try:
            for _ in range(10):
                with pytest.raises(grpc.RpcError) as failed:
                    # Beside a good clip, which fails with it.
                    embed(server, sounds[0], SILENCE)
                assert failed.value.code() == code and error_reason(failed.value) == reason, failed.value
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not wrong and all(calls)
        batches = server.metric("hearwire_batch_calls_count")
        assert server.metric("hearwire_batch_calls_sum") > batches, "calls have shared batches"
        fault.write_text("")
        assert len(embed(server, SILENCE)[0]) == 21


def test_a_batch_that_hangs_ends_the_server_with_a_code_of_its_own(fault: pathlib.Path) -> None:
    server = start(fault, f"--batch-timeout={PATIENCE}s", "--workers=1")
    assert len(embed(server, chirp(1.0))[0]) == 21
    fault.write_text("hang")
    hung = server.stub.GetTags.future(pb.GetTagsRequest(clips=[pcm(SILENCE)]), timeout=60 * PATIENCE)
    wait_until(lambda: "a batch hangs" in server.log(), 30, "the line of the batch that hangs")
    assert server.process.wait(30 * PATIENCE) == 72
    assert hung.code() == grpc.StatusCode.UNAVAILABLE
    line = next(line for line in server.log().splitlines() if "a batch hangs" in line)
    assert "network=hearwire_mn01" in line and "device=cpu" in line and "windows=1" in line and "seconds=" in line


def test_a_batch_that_hangs_may_do_so_where_no_timeout_is_set(fault: pathlib.Path) -> None:
    with start(fault, "--batch-timeout=0", "--workers=2", "--drain-deadline=100ms") as server:
        fault.write_text("hang")
        server.stub.GetTags.future(pb.GetTagsRequest(clips=[pcm(SILENCE)]), timeout=60 * PATIENCE)
        assert len(embed(server, chirp(1.0))[0]) == 21, "the other worker goes on"


def test_a_lost_device_ends_the_server_as_documented(fault: pathlib.Path) -> None:
    server = start(fault)
    fault.write_text("lost")
    with pytest.raises(grpc.RpcError) as failed:
        embed(server, SILENCE)
    assert failed.value.code() == grpc.StatusCode.UNAVAILABLE and error_reason(failed.value) == "DEVICE_LOST"
    assert server.process.wait(30 * PATIENCE) == 70
    assert "device lost" in server.log()
