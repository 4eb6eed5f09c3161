"""The system's clock is stepped under a running server: calls, their deadlines and a drain do not notice.

libfaketime gives the server a system clock that this test steps; the monotonic clock stays the machine's own.
"""

import itertools
import os
import pathlib
import signal
import threading
import time

import pytest

from hearwire_server import PATIENCE, Server, chirp, pb, pcm, pcm16, wait_until

LIBRARY = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

pytestmark = [
    pytest.mark.skipif(LIBRARY is None, reason="Debian's libfaketime is not installed"),
    pytest.mark.skipif(bool(os.environ.get("HEARWIRE_SANITIZE")), reason="sanitizers must be the first library"),
]


class Clock:
    """The server's system clock: the machine's, and an offset."""

    def __init__(self, folder: pathlib.Path):
        self._file = folder / "offset"
        self.step(0)
        self.env = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: int) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


def timestamps(server, seconds: float, timeout: float):
    request = pb.GetTimestampEmbeddingsRequest(clips=[pcm(chirp(seconds))])
    return server.stub.GetTimestampEmbeddings.future(request, timeout=timeout * PATIENCE)


@pytest.mark.parametrize("seconds", [3600 * 24 * 400, -3600 * 24 * 400])
def test_calls_in_flight_and_new_ones_outlive_a_step(clock, seconds):
    with Server("--workers=1", "--slow-call=1ms", env=clock.env) as server:
        wait_until(lambda: timestamps(server, 1, 60).result().clips, what="a first answer")
        in_flight = [timestamps(server, 60, 60) for _ in range(4)]
        wait_until(lambda: server.metric("hearwire_pending_frames") > 0, what="waiting windows")
        clock.step(seconds)
        assert [len(call.result().clips) for call in in_flight] == [1] * 4
        assert len(timestamps(server, 1, 20).result().clips) == 1
        assert server.metric("hearwire_requests_total", code="DEADLINE_EXCEEDED") == 0
        years = {int(line[:4]) for line in server.log().splitlines() if line[:4].isdigit()}
        assert max(years) > min(years), "the server's log is in the system's time, and must show the step"


def test_a_deadline_passes_although_the_clock_is_set_back(clock):
    with Server("--workers=1", "--max-deadline=0.3s", env=clock.env) as server:
        request = pb.GetTimestampEmbeddingsRequest(clips=[pcm16(chirp(300, rate=16000), rate=16000)])
        in_flight = [server.stub.GetTimestampEmbeddings.future(request, timeout=120 * PATIENCE) for _ in range(24)]
        hours_back = itertools.count(1)

        def have_ended() -> bool:
            clock.step(-3600 * next(hours_back))
            return all(call.done() for call in in_flight)

        wait_until(have_ended, 60, "the end of all calls")
        codes = {call.code().name for call in in_flight}
        assert "DEADLINE_EXCEEDED" in codes and codes <= {"OK", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}


def test_a_drain_ends_although_the_clock_is_set_back(clock):
    server = Server("--workers=1", "--lame-duck=1s", "--drain-deadline=2s", env=clock.env)
    server.process.send_signal(signal.SIGTERM)
    threading.Timer(0.2, clock.step, [-600]).start()
    start = time.monotonic()
    assert server.process.wait(30 * PATIENCE) == 0
    assert time.monotonic() - start < 20 * PATIENCE
