"""Streams of both clients, against a scripted server."""

import asyncio
import threading
import time

import grpc
import numpy as np
import pytest
from scripted_server import error_info, fail
from stream_model import Plan, plans, row_at, serve, started, summary
from stream_runs import RATE, assert_same, blocking, both, on_a_loop, pieces_of, rows, sound, windows

import hearwire
from hearwire.v1 import embedding_pb2 as pb


@both
def test_events_come_as_the_server_answers(scripted, run):
    scripted.stream = plans(Plan())
    events = run(scripted, pieces_of(sound(12)), timestamps=True, scenes=True, tags_top_k=1, heads=["every50"])
    assert events[0] == hearwire.StreamStarted(hearwire.EmbeddingSpace("model", "abc123", "", ""), 0, 3)
    times, values = rows(events)
    np.testing.assert_array_equal(times, np.arange(241) * 50.0)
    np.testing.assert_array_equal(values[:, 0], np.arange(241))
    assert values.dtype == np.float32
    labels = [row for event in events if isinstance(event, hearwire.HeadRows) for row in event.heads["every50"].rows]
    assert labels[7] == hearwire.LabelRow(350.0, [hearwire.Label(7, "", 0.5)])
    assert [window.centre_ms for window in windows(events)] == [0, 2500, 5000, 7500, 10000]
    assert windows(events)[0].tags == [hearwire.Tag(3, "Dog", 0.5)]
    assert windows(events)[0].embedding.shape == (2,)
    last = events[-1]
    assert isinstance(last, hearwire.StreamSummary)
    assert (last.audio_ms, last.timestamp_rows, last.scene_windows, last.resumes) == (12000, 241, 5, 0)
    assert last.scene.shape == (2,)


@both
def test_rows_do_not_depend_on_how_the_pieces_are_cut(scripted, run):
    scripted.stream = plans(Plan())
    samples = sound(3)
    whole = run(scripted, [samples])
    assert len(rows(whole)[0]) == 61
    assert_same(run(scripted, pieces_of(samples, 1)), whole)
    data = samples.tobytes()
    odd = [data[i : i + 77] for i in range(0, len(data), 77)]
    assert_same(run(scripted, odd, encoding=hearwire.Encoding.LINEAR16), whole)
    assert_same(run(scripted, [np.zeros(0, np.int16), samples, samples[:0]]), whole)


@both
def test_what_is_asked_for_is_what_travels(scripted, run):
    starts = []

    def stream(requests, context):
        starts.append(next(requests).start)
        yield started()
        for _ in requests:
            pass
        yield summary(0)

    scripted.stream = stream
    stereo = np.zeros((10, 2), np.float32)
    run(scripted, [stereo], 48000, config="c", tags_top_k=3, heads=["whole"], heads_top_k=2, dtype=np.float16,
        first_sample=7)  # fmt: skip
    assert starts[0] == pb.StreamStart(
        config="c", encoding=pb.Pcm.ENCODING_FLOAT32, sample_rate_hertz=48000, channel_count=2, tags_top_k=3, heads=["whole"],
        element_type=pb.ELEMENT_TYPE_FLOAT16, heads_top_k=2, first_sample=7, acknowledge=True,
    )  # fmt: skip
    run(scripted, [])
    assert starts[1].timestamps and starts[1].encoding == pb.Pcm.ENCODING_FLOAT32


@both
def test_large_pieces_are_split(scripted, run):
    sizes = []

    def stream(requests, context):
        next(requests)
        yield started()
        sizes.extend(len(request.samples) for request in requests)
        yield summary(0)

    scripted.stream = stream
    run(scripted, [np.zeros(1_500_000, np.int16)])
    assert sum(sizes) == 3_000_000 and max(sizes) == 1 << 20


@both
def test_answers_come_while_the_source_waits(scripted, run):
    """The source yields its next piece when the row of the one before has come."""
    scripted.stream = plans(Plan())
    came = threading.Semaphore(0)

    def source():
        yield np.zeros(80, np.int16)
        for _ in range(5):
            assert came.acquire(timeout=20)
            yield np.zeros(50, np.int16)

    def take_blocking():
        with hearwire.Client(scripted.address) as client:
            for event in client.stream(source(), RATE):
                if isinstance(event, hearwire.ClipTimestampEmbeddings):
                    came.release()

    async def take():
        async with hearwire.AsyncClient(scripted.address) as client:
            async for event in client.stream(source(), RATE):
                if isinstance(event, hearwire.ClipTimestampEmbeddings):
                    came.release()

    take_blocking() if run is blocking else asyncio.run(take())


def test_a_source_may_be_asynchronous(scripted):
    scripted.stream = plans(Plan())
    closed = []

    async def source():
        try:
            for piece in pieces_of(sound(1)):
                await asyncio.sleep(0)
                yield piece
        finally:
            closed.append(True)

    assert len(rows(on_a_loop(scripted, source()))[0]) == 21
    assert closed == [True]


@both
@pytest.mark.parametrize(
    "answers, message",
    [
        ([row_at(0), row_at(100)], "at 100.0 ms where the one at 50.0 ms"),
        ([row_at(50), row_at(0)], "at 0.0 ms where the one at 100.0 ms"),
        ([row_at(0), summary(2)], "counts 2 rows, of which 1 came"),
        ([row_at(0)], "without a summary"),
        ([summary(0), row_at(0)], "after its summary"),
        ([started()], "starts twice"),
        ([pb.StreamEmbeddingsResponse()], "nothing that this client knows"),
        ([pb.StreamEmbeddingsResponse(head_rows=pb.HeadRows(heads=[pb.HeadAnswer(head="h")]))], "rows of head h"),
    ],
)
def test_a_stream_that_contradicts_itself_is_an_error(scripted, run, answers, message):
    def stream(requests, context):
        next(requests)
        yield started()
        for _ in requests:
            pass
        yield from answers

    scripted.stream = stream
    with pytest.raises(hearwire.HearwireError, match=message) as caught:
        run(scripted, pieces_of(sound(1)))
    assert caught.value.code is grpc.StatusCode.INTERNAL


@both
def test_a_failure_carries_all_that_the_server_says(scripted, run):
    def stream(requests, context):
        next(requests)
        fail(context, grpc.StatusCode.NOT_FOUND, "no such config", [error_info("UNKNOWN_CONFIG")])
        yield

    scripted.stream = stream
    with pytest.raises(hearwire.HearwireError, match="no such config") as caught:
        run(scripted, (np.zeros(100, np.int16) for _ in iter(int, 1)))  # Without end.
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_CONFIG")
    assert caught.value.request_id == "id-7"


@both
@pytest.mark.parametrize("reads", [False, True])
def test_a_server_that_does_nothing_is_not_waited_for_forever(scripted, run, reads):
    ended = threading.Event()

    def stream(requests, context):
        context.add_callback(ended.set)
        next(requests)
        yield started()
        for _ in requests if reads else ():
            pass
        assert ended.wait(20)

    scripted.stream = stream
    piece = np.zeros(500_000 if not reads else 100, np.int16)
    with pytest.raises(hearwire.HearwireError, match="neither taken audio nor answered for 0.5 s") as caught:
        run(scripted, (piece for _ in range(100 if not reads else 3)), idle_timeout=0.5)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert ended.wait(10)


@both
def test_nobody_is_late_while_the_source_waits(scripted, run):
    scripted.stream = plans(Plan())

    def source():
        yield sound(1)
        time.sleep(0.8)
        yield sound(1)

    assert len(rows(run(scripted, source(), idle_timeout=0.3))[0]) == 41


@both
def test_a_stream_ends_at_its_deadline(scripted, run):
    scripted.stream = plans(Plan())

    def source():
        while True:
            time.sleep(0.02)
            yield np.zeros(10, np.int16)

    with pytest.raises(hearwire.HearwireError) as caught:
        run(scripted, source(), deadline=0.5)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


@both
def test_what_the_source_raises_is_raised(scripted, run):
    scripted.stream = plans(Plan())

    def source():
        yield sound(1)
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        run(scripted, source())
    with pytest.raises(OSError, match="unplugged"):
        run(scripted, source(), resume=True)


@both
@pytest.mark.parametrize(
    "pieces, error, message",
    [
        ([b"1234"], ValueError, "give encoding="),
        ([sound(1), np.zeros(3, np.float32)], ValueError, "FLOAT32, 1 channel in a stream of LINEAR16, 1 channel"),
        ([sound(1), np.zeros((3, 2), np.int16)], ValueError, "2 channels"),
        ([np.zeros(3, np.int64)], TypeError, "int64"),
        (["dog.wav"], TypeError, "a piece is a numpy array or bytes, not str"),
        (sound(1), TypeError, r"\[piece\] for one"),
        (b"1234", TypeError, r"\[piece\] for one"),
    ],
)
def test_what_is_no_piece_of_the_stream_is_refused(scripted, run, pieces, error, message):
    scripted.stream = plans(Plan())
    with pytest.raises(error, match=message):
        run(scripted, pieces)


@both
@pytest.mark.parametrize(
    "options",
    [{"tags_top_k": -1}, {"first_sample": -1}, {"idle_timeout": 0}, {"deadline": 0}, {"max_resumes": -1}]
    + [{"encoding": hearwire.Encoding.FILE}, {"channels": 2}, {"dtype": np.float64}, {"timestamps": False}]
    + [{"rate": 10}, {"rate": 8000.5}, {"channels": 33, "encoding": hearwire.Encoding.LINEAR16}],
)
def test_wrong_options_are_refused(scripted, run, options):
    with pytest.raises(ValueError):
        run(scripted, [], **options)


def test_leaving_early_cancels_the_stream(scripted):
    ended, closed = threading.Event(), threading.Event()

    def stream(requests, context):
        context.add_callback(ended.set)
        return serve(Plan(), requests, context)

    scripted.stream = stream

    def source():
        try:
            while True:
                yield np.zeros(100, np.int16)
        finally:
            closed.set()

    with hearwire.Client(scripted.address) as client:
        events = client.stream(source(), RATE)
        next(events)
        events.close()
        assert ended.wait(10) and closed.wait(10)
        assert list(events) == []

    async def leave():
        async with hearwire.AsyncClient(scripted.address) as client:
            events = client.stream(source(), RATE)
            await events.__anext__()
            await events.aclose()
            assert await asyncio.to_thread(ended.wait, 10)
            # gRPC's own task ends a moment after the call; one that was left behind never does.
            end = time.monotonic() + 10
            while asyncio.all_tasks() != {asyncio.current_task()} and time.monotonic() < end:
                await asyncio.sleep(0.01)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    ended.clear()
    asyncio.run(leave())


def test_a_source_that_blocks_does_not_hold_up_the_end(scripted):
    """The server fails the stream while the source waits for its next piece."""

    def stream(requests, context):
        next(requests)
        yield started()
        fail(context, grpc.StatusCode.INTERNAL, "broken", [])

    scripted.stream = stream
    unblock = threading.Event()

    def source():
        yield np.zeros(100, np.int16)
        unblock.wait(60)

    with hearwire.Client(scripted.address) as client, pytest.raises(hearwire.HearwireError, match="broken"):
        list(client.stream(source(), RATE))
    unblock.set()
