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

from hearwire_server import PATIENCE, Server, chirp, pb, pcm16, wait_until

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


def long_request(seconds: float) -> "pb.GetTimestampEmbeddingsRequest":
    """Of few bytes for its work: at 1 kHz, and 20 windows a second."""
    clip = pcm16(chirp(seconds, high=400, rate=1000), rate=1000)
    return pb.GetTimestampEmbeddingsRequest(clips=[clip])


class Callers:
    """Keeps four calls in flight until the end of the with block, so that windows wait however fast the server is."""

    def __init__(self, server):
        self._server = server
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(4)]
        self.codes: list[str] = []

    def _call(self) -> None:
        request = long_request(60)
        while not self._ending.is_set():
            call = self._server.stub.GetTimestampEmbeddings.future(request, timeout=60 * PATIENCE)
            self.codes.append(call.code().name)  # Waits for the end.

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("seconds", [3600 * 24 * 400, -3600 * 24 * 400])
def test_calls_in_flight_and_new_ones_outlive_a_step(clock, seconds):
    with Server("--workers=1", "--slow-call=1ms", "--max-queue-time=24h", env=clock.env) as server:
        with Callers(server) as callers:
            wait_until(lambda: callers.codes, 60, "a first answer")
            wait_until(lambda: server.metric("hearwire_pending_frames") > 0, 60, "waiting windows")
            clock.step(seconds)
            before = len(callers.codes)
            wait_until(lambda: len(callers.codes) >= before + 12, 60, "answers after the step")
        assert set(callers.codes) == {"OK"}
        assert server.metric("hearwire_requests_total", code="OK") == len(callers.codes)
        assert server.metric("hearwire_requests_total", code="DEADLINE_EXCEEDED") == 0
        years = {int(line[:4]) for line in server.log().splitlines() if line[:4].isdigit()}
        assert max(years) > min(years), "the server's log is in the system's time, and must show the step"


def test_a_deadline_passes_although_the_clock_is_set_back(clock):
    with Server("--workers=1", "--max-deadline=1s", "--max-queue-time=24h", env=clock.env) as server:
        with Callers(server) as callers:
            wait_until(lambda: callers.codes, 60, "a first answer")
            hours_back = itertools.count(1)

            def a_deadline_has_passed() -> bool:
                # Only calls that can be answered in time are let in: some that were are held up.
                server.process.send_signal(signal.SIGSTOP)
                clock.step(-3600 * next(hours_back))
                time.sleep(1.2)
                server.process.send_signal(signal.SIGCONT)
                time.sleep(0.2)
                return "DEADLINE_EXCEEDED" in callers.codes

            wait_until(a_deadline_has_passed, 60, "a deadline")
        assert set(callers.codes) <= {"OK", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}


def test_a_drain_ends_although_the_clock_is_set_back(clock):
    server = Server("--workers=1", "--lame-duck=1s", "--drain-deadline=2s", env=clock.env)
    server.process.send_signal(signal.SIGTERM)
    threading.Timer(0.2, clock.step, [-600]).start()
    start = time.monotonic()
    assert server.process.wait(30 * PATIENCE) == 0
    assert time.monotonic() - start < 20 * PATIENCE
