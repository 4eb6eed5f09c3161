"""What becomes of the server where the system limits its memory or its threads."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import threading
from collections.abc import Iterator, Sequence

import grpc
import numpy as np
import pytest
from test_lifecycle import error_reason

from hearwire_server import BIN, PATIENCE, Server, chirp, pb, pcm, pcm16

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="another user, or a cgroup of its own, takes root")
# A sanitizer's shadow memory is larger than any such limit.
limits_address_space = pytest.mark.skipif(bool(os.environ.get("HEARWIRE_SANITIZE")), reason="of address space")

PIDS = pathlib.Path("/sys/fs/cgroup/pids")


def start(prefix: Sequence[str], *flags: str) -> subprocess.CompletedProcess:
    """Of a server that cannot start."""
    command = [*prefix, str(BIN / "hearwire-server"), "--grpc-port=0", "--metrics-port=0", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE)


def under_address_space(kilobytes: int) -> list[str]:
    return ["prlimit", f"--as={kilobytes * 1024}", "--"]


@contextlib.contextmanager
def pids_cgroup(most: int) -> Iterator[list[str]]:
    """The prefix of a command that runs in a cgroup of version 1 with so many threads."""
    folder = PIDS / f"hearwire-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "pids.max").write_text(str(most))
    except OSError as error:
        pytest.skip(f"no cgroup of pids can be made here: {error}")
    try:
        yield ["sh", "-c", f'echo $$ > {folder}/cgroup.procs; exec "$@"', "sh"]
    finally:
        folder.rmdir()


@limits_address_space
@pytest.mark.parametrize("kilobytes, calls", [(2_000_000, 6), (600_000, 4)])
def test_calls_that_no_memory_is_left_for_fail_alone(kilobytes: int, calls: int) -> None:
    minutes = pcm16(np.random.default_rng(0).normal(0, 0.1, 28_000_000), 8000)  # 56 MB, and a reply of 52.
    request = pb.GetTimestampEmbeddingsRequest(clips=[minutes])
    flags = ["--max-message-bytes=128MiB", "--max-reply-bytes=1GiB", "--max-deadline=600s", "--max-queue-time=600s"]
    with Server(*flags, prefix=under_address_space(kilobytes)) as server:
        outcomes = []

        def call() -> None:
            try:
                outcomes.append(len(server.stub.GetTimestampEmbeddings(request, timeout=500).clips))
            except grpc.RpcError as error:
                outcomes.append((error.code(), error_reason(error)))

        threads = [threading.Thread(target=call) for _ in range(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(outcomes) <= {1, (grpc.StatusCode.RESOURCE_EXHAUSTED, "MEMORY_FULL")}, (outcomes, server.log())
        assert len(set(outcomes)) == 2, "some are answered, some have no room"
        small = server.stub.GetTags(pb.GetTagsRequest(clips=[pcm(chirp(1.0))]), timeout=60)
        assert len(small.clips) == 1


@limits_address_space
def test_too_small_an_address_space_is_one_clear_line() -> None:
    for kilobytes in (300_000, 200_000, 150_000):
        ended = start(under_address_space(kilobytes), "--log-level=error")
        assert ended.returncode == 1, (kilobytes, ended.stderr)
        assert ended.stderr.startswith("hearwire-server: ") and ended.stderr.count("\n") == 1, ended.stderr
        assert "ulimit -v" in ended.stderr


@needs_root
@pytest.mark.parametrize("most", [1, 3, 20, 40])
def test_too_few_threads_are_one_clear_line(most: int) -> None:
    with pids_cgroup(most) as prefix:
        text = start(prefix, "--log-level=error")
        lines = start(prefix, "--log-level=error", "--log-format=json")
    assert text.returncode == 1 and lines.returncode == 1, text.stderr + lines.stderr
    assert text.stderr.startswith("hearwire-server: ") and text.stderr.count("\n") == 1, text.stderr
    assert "thread" in text.stderr
    line = json.loads(lines.stderr)
    assert line["level"] == "error" and line["message"] == "cannot start" and "thread" in line["error"]


@needs_root
def test_it_serves_with_as_few_threads_as_it_says_that_it_needs() -> None:
    with pids_cgroup(51) as prefix, Server(prefix=prefix) as server:
        reply = server.stub.GetTags(pb.GetTagsRequest(clips=[pcm(chirp(1.0))]), timeout=60 * PATIENCE)
        assert len(reply.clips) == 1
        assert "workers=1 " in server.log(), "fewer threads, fewer workers"


@needs_root
def test_a_user_with_few_threads_gets_one_clear_line() -> None:
    prefix = ["prlimit", "--nproc=30", "setpriv", "--reuid=64321", "--clear-groups", "--"]
    ended = start(prefix, "--log-level=error")
    assert ended.returncode == 1, ended.stderr
    assert "threads" in ended.stderr and ended.stderr.count("\n") == 1, ended.stderr


@needs_root
def test_more_workers_than_threads_are_refused_with_the_option_that_helps() -> None:
    with pids_cgroup(300) as prefix:
        ended = start(prefix, "--log-level=error", "--workers=1024")
    assert ended.returncode == 1, ended.stderr
    assert "--workers" in ended.stderr and ended.stderr.count("\n") == 1, ended.stderr
