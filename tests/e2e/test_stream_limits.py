"""What a server allows streams: how many, how long, to whom; and how they end when it ends."""

import signal
import time

import numpy as np
import pytest

from hearwire_server import PATIENCE, Server, array, chirp, pb, pcm, pcm16, wait_until
from stream_calls import SECOND, OpenStream, bytes_of, piece, pieces, start, stream, unary


def test_limits_streams_and_ends_idle_ones():
    with Server("--max-streams=2", "--max-streams-per-caller=9", "--stream-idle-timeout=500ms") as server:
        first, second = (OpenStream(server, start(timestamps=True)) for _ in range(2))
        first.next()
        second.next()
        refused = stream(server, [start(timestamps=True)])
        assert refused.code == "RESOURCE_EXHAUSTED"
        assert refused.reason() == "TOO_MANY_STREAMS"
        assert server.metric("hearwire_rejected_total", reason="TOO_MANY_STREAMS") == 1
        first.send(piece(bytes(SECOND)))
        idle = first.end()
        assert idle.code == "DEADLINE_EXCEEDED"
        assert idle.reason() == "STREAM_IDLE"
        assert "--stream-idle-timeout" in idle.error.details()
        assert len(idle.timestamps_ms) == int(idle.facts()["timestamp_rows"])
        assert second.end().code == "DEADLINE_EXCEEDED"
        # A client has its answer a moment before the server is done with the stream.
        wait_until(lambda: server.metric("hearwire_open_streams") == 0, what="the end of both streams")
        assert stream(server, [start(timestamps=True), piece(bytes(SECOND))]).code == "OK"
        wait_until(lambda: server.metric("hearwire_open_streams") == 0, what="the end of the last stream")


def test_one_caller_leaves_others_streams():
    with Server("--max-streams=4", "--trusted-proxies=127.0.0.1") as server:

        def call_as(name):
            metadata = [("x-hearwire-caller", name)]
            return OpenStream(server, start(timestamps=True), metadata=metadata)

        held = [call_as("greedy") for _ in range(2)]
        for call in held:
            call.next()
            call.send(piece(b""))
        refused = call_as("greedy").end()
        assert refused.code == "RESOURCE_EXHAUSTED"
        assert refused.reason() == "CALLER_LIMIT"
        assert refused.facts()["limit"] == "streams"
        assert refused.facts()["max_streams"] == "2"
        assert "greedy has 2 streams open" in refused.error.details()
        other = call_as("other")
        other.next()
        other.send(piece(bytes(SECOND)))
        other.half_close()
        assert other.end().code == "OK"
        held[0].half_close()
        assert held[0].end().code == "INVALID_ARGUMENT", "no audio came"
        wait_until(lambda: server.metric("hearwire_open_streams") == 1, what="the end of the one stream")
        again = call_as("greedy")
        again.next()
        for call in (held[1], again):
            call.call.cancel()


def test_empty_pieces_keep_no_stream_alive():
    with Server("--stream-idle-timeout=1s") as server:
        call = OpenStream(server, start(timestamps=True))
        began = time.monotonic()
        while call.call.is_active() and time.monotonic() < began + 20 * PATIENCE:
            call.send(piece(b""))
            time.sleep(0.05)
        idle = call.end()
        assert idle.code == "DEADLINE_EXCEEDED"
        assert idle.reason() == "STREAM_IDLE"
        assert "sent no audio" in idle.error.details()

        call = OpenStream(server, start(timestamps=True))
        for _ in range(30):  # Longer than the timeout, with some audio among them.
            call.send(piece(b""))
            call.send(piece(bytes(400)))
            time.sleep(0.05)
        call.half_close()
        assert call.end().code == "OK"


def test_the_longest_deadline_of_calls_is_none_of_streams():
    with Server("--max-deadline=300ms") as server:
        call = OpenStream(server, start(timestamps=True))
        for _ in range(8):
            call.send(piece(bytes(SECOND // 10)))
            time.sleep(0.1)
        call.half_close()
        assert call.end().code == "OK"


def test_says_that_it_takes_no_streams():
    with Server("--max-streams=0") as server:
        refused = stream(server, [start(timestamps=True)])
        assert refused.code == "UNIMPLEMENTED"
        assert refused.reason() == "NO_STREAMS"
        assert "takes no streams" in refused.error.details()
        assert not {key for key, _ in refused.error.trailing_metadata()} & {"grpc-retry-pushback-ms"}
        clip = pcm16(chirp(1))
        server.stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(clips=[clip]), timeout=60 * PATIENCE)


def test_a_client_that_half_closes_and_stays_is_answered_and_forgotten():
    with Server() as server:
        data = bytes_of(chirp(5))
        call = server.stub.StreamEmbeddings(
            iter([start(timestamps=True, scenes=True), *pieces(data, 12800)]), timeout=60 * PATIENCE
        )
        # It reads nothing and keeps its connection: the answers are in buffers, and no place is held.
        wait_until(lambda: server.metric("hearwire_requests_total", method="StreamEmbeddings", code="OK") == 1)
        wait_until(lambda: server.metric("hearwire_open_streams") == 0)
        messages = list(call)
        assert messages[-1].summary.timestamp_rows == 101
        assert sum(message.timestamps.embeddings.rows for message in messages) == 101


def test_a_client_that_does_not_read_is_not_computed_for():
    with Server("--stream-idle-timeout=2s", "--workers=1") as server:
        data = bytes_of(chirp(60))
        call = server.stub.StreamEmbeddings(
            iter([start(timestamps=True), *pieces(data * 20, 1 << 20)]), timeout=60 * PATIENCE
        )
        # Nothing is taken from the call. What fits into buffers on the way is computed, and no more.
        wait_until(lambda: server.metric("hearwire_open_streams") == 1)
        wait_until(lambda: server.metric("hearwire_open_streams") == 0, 20, "the end of the stalled stream")
        assert server.metric("hearwire_batch_frames_sum") < 0.5 * 20 * 60 * 20 * 17
        call.cancel()


def test_ends_a_stream_that_lasts_too_long_and_says_where_to_go_on():
    samples = chirp(6)
    data = bytes_of(samples)
    with Server("--max-stream-duration=700ms") as server:
        call = OpenStream(server, start(timestamps=True))
        for second in range(3):
            call.send(piece(data[second * SECOND : (second + 1) * SECOND]))
        cut = call.end()
        assert cut.code == "UNAVAILABLE"
        assert cut.reason() == "STREAM_TOO_LONG"
    with Server() as server:
        goes_on = int(cut.facts()["resume_sample"])
        rest = stream(server, [start(timestamps=True, first_sample=goes_on), *pieces(data[4 * goes_on :], 10000)])
        whole = unary(server, pcm(samples))[0]
    assert rest.summary.audio_ms == 6000
    assert cut.timestamps_ms + rest.timestamps_ms == list(whole.timestamps_ms)
    np.testing.assert_array_equal(np.concatenate([cut.rows, rest.rows]), array(whole.embeddings))


@pytest.mark.parametrize("rate", [32000, 44100])
def test_a_drain_ends_streams_with_where_to_go_on(rate):
    samples = chirp(20, high=10000, rate=rate)
    data = bytes_of(samples)
    cut_at = 4 * int(13.3 * rate) + 1
    server = Server("--drain-deadline=2s")
    whole = unary(server, pcm(samples, rate=rate))
    call = OpenStream(server, start(rate, timestamps=True, scenes=True))
    for message in pieces(data[:cut_at], 100000):
        call.send(message)
    while len([m for m in call.messages if m.WhichOneof("response") == "scene"]) < 4:
        call.next()
    server.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    cut = call.end()
    assert cut.code == "UNAVAILABLE"
    assert cut.reason() == "SHUTTING_DOWN"
    assert time.monotonic() - began > 0.5, "it may go on until the drain's deadline"
    assert server.process.wait(20 * PATIENCE) == 0
    server.channel.close()

    with Server() as successor:
        goes_on = int(cut.facts()["resume_sample"])
        first = start(rate, timestamps=True, scenes=True, first_sample=goes_on)
        rest = stream(successor, [first, *pieces(data[4 * goes_on :], 100000)])
    assert rest.code == "OK"
    assert rest.summary.audio_ms == pytest.approx(20000)
    assert not rest.summary.HasField("scene")
    rows = dict(zip(cut.timestamps_ms, cut.rows))
    for ms, row in zip(rest.timestamps_ms, rest.rows):
        np.testing.assert_array_equal(rows.setdefault(ms, row), row)
    np.testing.assert_array_equal(np.stack([rows[ms] for ms in sorted(rows)]), array(whole[0].embeddings))
    scenes = {scene.centre_ms: array(scene.embedding)[0] for scene in cut.of("scene") + rest.of("scene")}
    mean = np.mean([scenes[ms].astype("f8") for ms in sorted(scenes)], axis=0).astype("f4")
    np.testing.assert_array_equal(mean, array(whole[1].embeddings)[0])


def test_a_drain_waits_no_longer_for_a_client_that_does_not_read():
    server = Server("--drain-deadline=2s", "--workers=1")
    data = bytes_of(chirp(60))
    call = server.stub.StreamEmbeddings(iter([start(timestamps=True), *pieces(data * 20, 1 << 20)]), timeout=60 * PATIENCE)
    wait_until(lambda: server.metric("hearwire_batch_frames_sum") > 1000)
    # Once what fits into buffers is full, nothing is computed any more.
    computed = -1.0
    while computed < (computed := server.metric("hearwire_batch_frames_sum")):
        time.sleep(1)
    assert server.metric("hearwire_open_streams") == 1
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20 * PATIENCE) == 0
    log = server.log()
    assert "drain deadline: failing the calls that are left" in log
    assert "some calls did not end" not in log, "it would have waited a second longer"
    call.cancel()
    server.channel.close()


def test_a_stream_that_ends_in_time_is_finished_during_a_drain():
    server = Server("--drain-deadline=10s")
    call = OpenStream(server, start(timestamps=True))
    call.next()
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    call.send(piece(bytes(SECOND)))
    call.half_close()
    assert call.end().code == "OK"
    assert server.process.wait(20 * PATIENCE) == 0
    server.channel.close()
