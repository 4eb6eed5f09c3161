"""Streams that go on where they ended, against a scripted server."""

import asyncio
import threading

import grpc
import pytest
from scripted_server import error_info, fail
from stream_model import Plan, plans, row_at, serve, started, summary
from stream_runs import RATE, assert_same, both, pieces_of, rows, sound

import hearwire


@both
@pytest.mark.parametrize("facts", [False, True], ids=["without facts", "with facts"])
@pytest.mark.parametrize("end_after", [0, 1, 40, 300, 400])
def test_a_resumed_stream_has_the_rows_of_an_uninterrupted_one(scripted, run, facts, end_after):
    scripted.stream = plans(Plan())
    expected = run(scripted, pieces_of(sound(20)), timestamps=True, scenes=True)
    scripted.stream = plans(Plan(end_after, facts), Plan(refuse=True), Plan())
    found = run(scripted, pieces_of(sound(20)), timestamps=True, scenes=True, resume=True)
    assert_same(found, expected)
    assert found[-1].resumes == 1
    assert (found[-1].scene is None) == (end_after >= 300)


@both
def test_a_stream_goes_on_where_a_server_was_kept_waiting(scripted, run):
    def stream(requests, context):
        next(requests)
        yield started()
        yield row_at(0, (0, 0, 0))
        if scripted.requests == 1:
            fail(context, grpc.StatusCode.DEADLINE_EXCEEDED, "idle", [error_info("STREAM_IDLE", resume_sample="0")])
        for _ in requests:
            pass
        yield summary(1)

    scripted.stream = stream
    assert len(rows(run(scripted, pieces_of(sound(1)), resume=True))[0]) == 1
    assert scripted.requests == 2


@both
def test_a_stream_goes_on_where_a_proxy_has_lost_the_servers_status(scripted, run):
    """HAProxy 2.6 resets the call instead: CANCELLED, and nothing more."""
    scripted.stream = plans(Plan())
    expected = run(scripted, pieces_of(sound(20)), timestamps=True, scenes=True)
    scripted.stream = plans(Plan(100, cancels=True), Plan(refuse=True, cancels=True), Plan())
    found = run(scripted, pieces_of(sound(20)), timestamps=True, scenes=True, resume=True)
    assert_same(found, expected)
    assert found[-1].resumes == 1
    assert scripted.requests == 1 + 3


@pytest.mark.parametrize("of", [hearwire.Client, hearwire.AsyncClient])
def test_a_stream_that_is_cancelled_here_does_not_go_on(scripted, of):
    """Its client is closed while the server waits for more."""

    def source():
        yield sound(1)
        never.wait(60)

    never = threading.Event()
    scripted.stream = plans(Plan())

    def blocking():
        client = of(scripted.address)
        with pytest.raises(hearwire.HearwireError) as caught:
            for event in client.stream(source(), RATE, timestamps=True, resume=True):
                if isinstance(event, hearwire.ClipTimestampEmbeddings):
                    threading.Timer(0.2, client.close).start()
        assert caught.value.code is grpc.StatusCode.CANCELLED

    async def on_a_loop():
        client = of(scripted.address)
        with pytest.raises((hearwire.HearwireError, asyncio.CancelledError)):
            async for event in client.stream(source(), RATE, timestamps=True, resume=True):
                if isinstance(event, hearwire.ClipTimestampEmbeddings):
                    asyncio.get_running_loop().call_later(0.2, lambda: asyncio.ensure_future(client.close()))

    try:
        blocking() if of is hearwire.Client else asyncio.run(asyncio.wait_for(on_a_loop(), 30))
    finally:
        never.set()
    assert scripted.requests == 1


@both
def test_a_stream_does_not_go_on_unless_asked(scripted, run):
    scripted.stream = plans(Plan(10, True), Plan())
    with pytest.raises(hearwire.HearwireError) as caught:
        run(scripted, pieces_of(sound(5)))
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert caught.value.metadata["timestamp_rows"] == "10"
    assert scripted.requests == 1


@both
def test_resuming_ends_after_max_resumes_in_vain(scripted, run):
    scripted.stream = plans(Plan(10), Plan(refuse=True))
    with pytest.raises(hearwire.HearwireError, match="draining"):
        run(scripted, pieces_of(sound(5)), resume=True, max_resumes=2)
    assert scripted.requests == 3


@both
def test_a_stream_does_not_go_on_in_another_space(scripted, run):
    scripted.stream = plans(Plan(10), Plan(weights="def456"))
    with pytest.raises(hearwire.HearwireError, match="another embedding space.*def456") as caught:
        run(scripted, pieces_of(sound(5)), resume=True)
    assert caught.value.code is grpc.StatusCode.FAILED_PRECONDITION


@both
@pytest.mark.parametrize("sample", ["0", "99999999", "soon"])
def test_a_server_may_not_ask_for_what_is_not_kept(scripted, run, sample):
    def stream(requests, context):
        for response in serve(Plan(), requests, context):
            yield response
            if response.timestamps.timestamps_ms == [20000.0]:
                fail(context, grpc.StatusCode.UNAVAILABLE, "gone", [error_info("X", resume_sample=sample)])

    scripted.stream = stream
    with pytest.raises(hearwire.HearwireError, match=sample):
        run(scripted, pieces_of(sound(30)), resume=True)
    assert scripted.requests == 1
