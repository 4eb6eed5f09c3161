"""Streams whose server says how much audio may be on its way."""

import grpc
import pytest
from scripted_server import fail
from stream_model import Plan, plans, started, summary
from stream_runs import assert_same, both, pieces_of, sound

import hearwire
from hearwire._bytes_ahead import UNTIL_KNOWN, BytesAhead
from hearwire.v1 import embedding_pb2 as pb

BOUND = "x-hearwire-max-bytes-ahead"


def test_few_bytes_go_until_the_bound_is_known():
    ahead = BytesAhead()
    ahead.on_new_call(100)
    assert ahead.may_send(100, 1000) == 1000
    assert ahead.may_send(100, 1 << 20) == UNTIL_KNOWN
    assert ahead.may_send(100 + UNTIL_KNOWN, 1) == 0
    ahead.on_initial_metadata([("x-other", "7")])
    assert ahead.may_send(100 + UNTIL_KNOWN, 1 << 20) == 1 << 20


def test_a_stream_is_never_further_ahead_than_its_bound():
    ahead = BytesAhead()
    ahead.on_new_call(5000)
    ahead.on_initial_metadata([(BOUND, "1000")])
    assert ahead.may_send(5000, 4000) == 1000
    assert ahead.may_send(5600, 4000) == 400
    assert ahead.may_send(5751, 4000) == 0, "less than a quarter is free"
    assert ahead.may_send(5751, 249) == 249, "all that there is"
    assert ahead.may_send(6000, 4000) == 0
    ahead.on_taken(300, end=9000)
    assert ahead.may_send(6000, 4000) == 300
    ahead.on_taken(200, end=9000)
    assert ahead.may_send(6000, 4000) == 300, "what was taken stays taken"
    ahead.on_new_call(600)
    assert ahead.may_send(600, 1 << 20) == UNTIL_KNOWN
    ahead.on_initial_metadata([(BOUND, "many")])
    assert ahead.may_send(600, 10) == 1


@both
def test_few_bytes_travel_until_the_server_has_said_whether_there_is_a_bound(scripted, run):
    sent = []

    def stream(requests, context):
        next(requests)
        while sum(sent) < UNTIL_KNOWN:
            sent.append(len(next(requests).samples))
        yield started()
        sent.extend(len(request.samples) for request in requests)
        yield summary(0)

    scripted.stream = stream
    run(scripted, [sound(100)])
    assert sent == [UNTIL_KNOWN, 200_000 - UNTIL_KNOWN]


@both
def test_no_more_travels_than_the_server_allows(scripted, run):
    scripted.stream = plans(Plan())
    expected = run(scripted, [sound(20)])
    scripted.stream = plans(Plan(bytes_ahead=1000))
    for size in 10, 100, 20_000:
        assert_same(run(scripted, pieces_of(sound(20), size)), expected)


@both
@pytest.mark.parametrize("facts", [False, True])
def test_a_resumed_stream_keeps_to_the_next_calls_bound(scripted, run, facts):
    scripted.stream = plans(Plan())
    expected = run(scripted, [sound(40)])
    scripted.stream = plans(
        Plan(300, facts, bytes_ahead=20_000), Plan(100, facts, bytes_ahead=1000), Plan(100, facts), Plan(bytes_ahead=1000)
    )
    found = run(scripted, pieces_of(sound(40), 3000), resume=True)
    assert_same(found, expected)
    assert found[-1].resumes == 3


@both
@pytest.mark.parametrize("begins", [True, False])
def test_a_server_that_has_taken_more_than_was_sent_contradicts_itself(scripted, run, begins):
    def stream(requests, context):
        next(requests)
        if begins:
            yield started()
        for _ in requests:
            pass
        yield pb.StreamEmbeddingsResponse(taken=pb.StreamTaken(bytes=2001))
        fail(context, grpc.StatusCode.UNKNOWN, "the client has not seen it", [])

    scripted.stream = stream
    message = "of 2000 bytes of audio it has taken 2001" if begins else "before it has started"
    with pytest.raises(hearwire.HearwireError, match=message) as caught:
        run(scripted, [sound(1)])
    assert caught.value.code is grpc.StatusCode.INTERNAL
