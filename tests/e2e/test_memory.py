"""What long audio and unread replies take of the server's memory: tests/bench/{long_audio,slow_readers}.py, in small."""

from __future__ import annotations

import os
import pathlib
import sys
import threading

import hearwire_server
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

import long_audio
import slow_readers

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
