"""StreamEmbeddings: audio in pieces, rows as they become known, and what a client may not do."""

import numpy as np
import pytest

from hearwire_server import PATIENCE, Server, array, chirp, pb, pcm, pcm16, wait_until
from stream_calls import SECOND, OpenStream, bytes_of, field_of, piece, pieces, start, stream, unary


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.mark.parametrize("seconds", [0.1, 3, 10, 12.34])
@pytest.mark.parametrize("size", [1 << 20, 12800, 4093])
def test_equals_the_unary_calls_bit_for_bit(server, seconds, size):
    samples = chirp(seconds)
    first = start(timestamps=True, scenes=True, tags_top_k=5)
    answer = stream(server, [first, *pieces(bytes_of(samples), size)])
    assert answer.code == "OK"
    stamps, scene, tags = unary(server, pcm(samples))

    started = answer.messages[0].started
    assert started.space == scene.space
    assert started.scene_embedding_size == scene.embeddings.columns
    np.testing.assert_array_equal(answer.rows, array(stamps.embeddings))
    assert answer.timestamps_ms == list(stamps.timestamps_ms)
    summary = answer.summary
    assert summary.scene == scene.embeddings
    assert list(summary.tags) == list(tags)
    assert summary.audio_ms == pytest.approx(len(samples) / 32)
    assert summary.timestamp_rows == len(answer.timestamps_ms)
    windows = answer.of("scene")
    assert summary.scene_windows == len(windows)
    if seconds <= 10:
        assert not windows
    else:
        assert [window.centre_ms for window in windows] == [2500 * i for i in range(len(windows))]
        mean = np.mean([array(window.embedding)[0].astype("f8") for window in windows], axis=0).astype("f4")
        np.testing.assert_array_equal(mean, array(scene.embeddings)[0])
        assert all(len(window.tags) == 5 for window in windows)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_equals_them_when_resampled(server, rate):
    samples = chirp(11, high=3500, rate=rate)
    clip = pcm16(samples, rate=rate)
    first = start(rate, pb.Pcm.ENCODING_LINEAR16, timestamps=True, scenes=True)
    answer = stream(server, [first, *pieces(clip.pcm.samples, 3333)])
    stamps, scene, _ = unary(server, clip)
    np.testing.assert_array_equal(answer.rows, array(stamps.embeddings))
    assert answer.summary.scene == scene.embeddings


def test_takes_several_channels_and_answers_float16(server):
    samples = chirp(1)
    stereo = np.stack([samples, 0.5 * samples], axis=1)
    first = start(channel_count=2, timestamps=True, element_type=pb.ELEMENT_TYPE_FLOAT16)
    answer = stream(server, [first, *pieces(bytes_of(stereo), 1001)])
    stamps, _, _ = unary(server, pcm(stereo, channels=2))
    np.testing.assert_array_equal(answer.rows, array(stamps.embeddings).astype("f2"))


def test_answers_rows_while_the_audio_comes(server):
    call = OpenStream(server, start(timestamps=True))
    assert call.next().WhichOneof("response") == "started"
    data = bytes_of(chirp(2))
    rows = 0
    for second in range(2):
        call.send(piece(data[second * SECOND : (second + 1) * SECOND]))
        # A row is known half its window, 80 ms, behind its centre.
        while rows < 20 * (second + 1) - 2:
            rows += len(call.next().timestamps.timestamps_ms)
    call.half_close()
    answer = call.end()
    assert answer.code == "OK"
    assert answer.summary.timestamp_rows == 41


def test_takes_ten_thousand_tiny_pieces(server):
    data = bytes_of(chirp(0.5))
    answer = stream(server, [start(timestamps=True), *pieces(data, 6), *[piece(b"")] * 10])
    assert answer.code == "OK"
    np.testing.assert_array_equal(answer.rows, array(unary(server, pcm(chirp(0.5)))[0].embeddings))


# --- What a client may not do.


@pytest.mark.parametrize(
    ("messages", "field", "says"),
    [
        ([], "start", "no start"),
        ([piece(b"1234")], "start", "first message"),
        ([pb.StreamEmbeddingsRequest()], "start", "first message"),
        ([start(timestamps=True), start(timestamps=True)], "start", "has one already"),
        ([start(timestamps=True), piece(bytes(SECOND)), start(scenes=True)], "start", "has one already"),
        ([start(timestamps=True), pb.StreamEmbeddingsRequest()], "request", "empty"),
        ([start(timestamps=True), piece(bytes(SECOND)), piece(bytes((1 << 20) + 4))], "samples", "--max-piece-bytes"),
        ([start()], "start", "nothing is asked for"),
        ([start(timestamps=True)], "samples", "empty"),
        ([start(timestamps=True), piece(b"")], "samples", "empty"),
        ([start(timestamps=True), piece(bytes(SECOND - 1))], "samples", "no whole number"),
        ([start(timestamps=True), piece(bytes(4 * 2560))], "samples", "too short"),
        ([start(scenes=True), piece(bytes(4 * 513))], "samples", "too short"),
        ([start(7, timestamps=True)], "start.sample_rate_hertz", "7"),
        ([start(channel_count=99, timestamps=True)], "start.channel_count", "99"),
        ([start(encoding=0, timestamps=True)], "start.encoding", ""),
        ([start(element_type=9, timestamps=True)], "start.element_type", "9"),
        ([start(first_sample=1 << 60, timestamps=True)], "start.first_sample", "out of range"),
    ],
)
def test_says_what_is_wrong(server, messages, field, says):
    answer = stream(server, messages)
    assert answer.code == "INVALID_ARGUMENT"
    assert field_of(answer.error) == field
    assert says in answer.error.details()
    assert not answer.of("summary")
    assert stream(server, [start(timestamps=True), piece(bytes(SECOND))]).code == "OK"


def test_nothing_partial_of_audio_that_is_too_short_for_one_of_two(server):
    answer = stream(server, [start(timestamps=True, scenes=True), piece(bytes(4 * 2000))])
    assert answer.code == "INVALID_ARGUMENT"
    assert [message.WhichOneof("response") for message in answer.messages] == ["started"]
    message = answer.error.details().removeprefix("samples: ")
    with pytest.raises(Exception, match=r"too short") as error:
        unary(server, pcm(np.zeros(2000)))
    assert error.value.details().removeprefix("clips[0].pcm.samples: ") == message


def test_names_a_config_that_is_not_there(server):
    answer = stream(server, [start(config="mn10_all_b_mel_avg", timestamps=True)])
    assert answer.code == "NOT_FOUND"
    assert "mn10_all_b_mel_avgs" in answer.error.details()
    answer = stream(server, [start(config="mn10_all_b_mel_avgs", timestamps=True)])
    assert answer.code == "FAILED_PRECONDITION"


def test_rows_before_a_bad_sample_arrive(server):
    samples = chirp(100)
    samples[899 * 3200 + 17] = np.nan
    answer = stream(server, [start(timestamps=True), *pieces(bytes_of(samples), 12800)])
    assert answer.code == "INVALID_ARGUMENT"
    assert str(899 * 3200 + 17) in answer.error.details()
    assert "89.90" in answer.error.details()
    assert len(answer.timestamps_ms) >= 20 * 89
    whole = unary(server, pcm(chirp(100)))[0]
    known = len(answer.timestamps_ms)
    np.testing.assert_array_equal(answer.rows, array(whole.embeddings)[:known])


@pytest.mark.parametrize("size", [1 << 20, 12800, 4004])
def test_as_many_rows_come_before_a_bad_sample_however_it_is_cut(server, size):
    samples = chirp(9)
    samples[8 * 32000 + 17] = np.nan
    answer = stream(server, [start(timestamps=True), *pieces(bytes_of(samples), size)])
    assert answer.code == "INVALID_ARGUMENT"
    assert "at 8.001 s" in answer.error.details()
    # A row is known when half its window, 80 ms and a sample, has come behind its centre.
    assert answer.timestamps_ms == [50 * i for i in range((8 * 32000 + 17 - 1 - 2560) // 1600 + 1)]


@pytest.mark.parametrize(
    "bad", [start(timestamps=True), pb.StreamEmbeddingsRequest(), piece(bytes((1 << 20) + 4))], ids=lambda _: ""
)
def test_all_rows_before_a_message_that_may_not_be_arrive(server, bad):
    answer = stream(server, [start(timestamps=True), *pieces(bytes_of(chirp(24)), 1 << 20), bad])
    assert answer.code == "INVALID_ARGUMENT"
    assert answer.timestamps_ms == [50 * i for i in range((24 * 32000 - 1 - 2560) // 1600 + 1)]
    assert not answer.of("summary")


def test_a_client_that_vanishes_is_forgotten(server):
    for _ in range(5):
        call = OpenStream(server, start(timestamps=True))
        call.next()
        call.send(piece(bytes(SECOND)))
        call.call.cancel()
    wait_until(lambda: server.metric("hearwire_open_streams") == 0)


def test_unary_calls_that_are_too_long_name_the_stream():
    with Server("--max-decoded-seconds=5", "--max-reply-bytes=64KiB") as server:
        for clip, stub, request in (
            (pcm16(chirp(6)), server.stub.GetSceneEmbeddings, pb.GetSceneEmbeddingsRequest),
            (pcm16(chirp(5)), server.stub.GetTimestampEmbeddings, pb.GetTimestampEmbeddingsRequest),
        ):
            with pytest.raises(Exception, match="StreamEmbeddings"):
                stub(request(clips=[clip]), timeout=60 * PATIENCE)


BOUND = "x-hearwire-max-bytes-ahead"


def bounds_told(call):
    return [value for key, value in call.initial_metadata() if key == BOUND]


def test_audio_is_acknowledged_where_a_proxy_bounds_it(server):
    call = OpenStream(server, start(timestamps=True, acknowledge=True), metadata=[(BOUND, "30000")])
    assert call.next().WhichOneof("response") == "started"
    assert bounds_told(call.call) == ["30000"]
    for taken in 800, 1600, 2400:
        call.send(piece(bytes(800)))  # Too little for a row.
        assert call.next().taken.bytes == taken
    call.send(piece(bytes(SECOND)))
    call.half_close()
    answer = call.end()
    assert answer.code == "OK" and len(answer.timestamps_ms) == answer.summary.timestamp_rows


@pytest.mark.parametrize("asks, bound", [(False, ["30000"]), (True, [])])
def test_nothing_is_acknowledged_that_nobody_asks_for(server, asks, bound):
    call = OpenStream(server, start(timestamps=True, acknowledge=asks), metadata=[(BOUND, value) for value in bound])
    call.send(piece(bytes(SECOND)))
    call.half_close()
    answer = call.end()
    assert answer.code == "OK" and answer.of("taken") == [] and bounds_told(call.call) == []


@pytest.mark.parametrize("bound", [["many"], ["4095"], ["16777217"], ["-5000"], ["30000", "30000"]])
def test_a_bound_that_will_not_do_is_refused(server, bound):
    metadata = [(BOUND, value) for value in bound]
    answer = OpenStream(server, start(timestamps=True, acknowledge=True), metadata=metadata).end()
    assert answer.code == "INVALID_ARGUMENT" and "from 4096 to 16777216" in answer.error.details()
    assert field_of(answer.error) == BOUND
