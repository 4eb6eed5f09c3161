"""Streams of both clients against real servers: the rows of the unary calls, bit for bit."""

import asyncio
import threading

import numpy as np
import pytest
from conftest import PATIENCE
from test_clients import chirp
from test_stream import both, pieces_of, rows, windows

import hearwire
from hearwire._own_server import OwnServer


@both
@pytest.mark.parametrize("rate", [32000, 44100])
def test_rows_equal_the_unary_calls_bit_for_bit(own_server, client, run, rate):
    samples = chirp(12.34, rate)
    stamps = client.get_timestamp_embeddings([samples], sample_rate=rate).clips[0]
    scene = client.get_scene_embeddings([samples], sample_rate=rate)
    tags = client.get_tags([samples], top_k=5, sample_rate=rate).clips[0]
    events = run(own_server, pieces_of(samples, 4001), rate, timestamps=True, scenes=True, tags_top_k=5)
    times, values = rows(events)
    np.testing.assert_array_equal(values, stamps.embeddings)
    np.testing.assert_array_equal(times, stamps.timestamps_ms)
    assert events[0].space == scene.space
    assert [window.centre_ms for window in windows(events)] == [0, 2500, 5000, 7500, 10000]
    np.testing.assert_array_equal(events[-1].scene, scene.embeddings[0])
    assert events[-1].tags == tags


@both
@pytest.mark.parametrize("rate", [32000, 44100])
def test_a_stream_resumed_across_a_drain_has_the_rows_of_an_uninterrupted_one(run, rate):
    samples = chirp(30, rate)
    first, second = OwnServer(["--drain-deadline=100ms"]), OwnServer([])
    try:
        expected = run(second, pieces_of(samples, 5000), rate, timestamps=True, scenes=True)
        many = threading.Event()

        def source():
            for i, piece in enumerate(pieces_of(samples, 5000)):
                if i * 5000 > 17 * rate and not many.is_set():
                    threading.Thread(target=first.stop).start()
                    many.set()
                if many.is_set():
                    threading.Event().wait(0.02)
                yield piece

        both_servers = type("Servers", (), {"address": f"ipv4:{first.address},{second.address}"})
        found = run(both_servers, source(), rate, timestamps=True, scenes=True, resume=True)
    finally:
        first.stop()
        second.stop()
    for one, other in zip(rows(found), rows(expected)):
        np.testing.assert_array_equal(one, other)
    assert [window.centre_ms for window in windows(found)] == [window.centre_ms for window in windows(expected)]
    assert found[-1].resumes == 1


def test_many_streams_share_a_loop(own_server, client):
    clips = [chirp(seconds) for seconds in (0.5, 1.0, 2.0, 3.0)] * 3

    async def run():
        async with hearwire.AsyncClient(own_server.address) as running:

            async def one(clip):
                return rows([event async for event in running.stream(pieces_of(clip, 1000), 32000)])[1]

            return await asyncio.gather(*map(one, clips))

    found = asyncio.run(asyncio.wait_for(run(), 60 * PATIENCE))
    for clip, values in zip(clips[:4], found):
        expected = client.get_timestamp_embeddings([clip], sample_rate=32000).clips[0].embeddings
        np.testing.assert_array_equal(values, expected)
