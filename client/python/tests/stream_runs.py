"""Runs of streams by both clients, and what is compared of them."""

import asyncio

import numpy as np
import pytest
from conftest import PATIENCE

import hearwire

RATE = 1000  # Few samples make long recordings.


def blocking(server, pieces, rate=RATE, **options):
    with hearwire.Client(server.address) as client:
        return list(client.stream(pieces, rate, **options))


def on_a_loop(server, pieces, rate=RATE, **options):
    async def run():
        async with hearwire.AsyncClient(server.address) as client:
            return [event async for event in client.stream(pieces, rate, **options)]

    return asyncio.run(asyncio.wait_for(run(), 60 * PATIENCE))


both = pytest.mark.parametrize("run", [blocking, on_a_loop])


def sound(seconds):
    return (np.arange(seconds * RATE) * 7919 % 601).astype(np.int16)


def pieces_of(samples, size=100):
    return (samples[i : i + size] for i in range(0, len(samples), size))


def rows(events):
    found = [event for event in events if isinstance(event, hearwire.ClipTimestampEmbeddings)]
    return np.concatenate([event.timestamps_ms for event in found]), np.concatenate([e.embeddings for e in found])


def assert_same(found, expected):
    for one, other in zip(rows(found), rows(expected)):
        np.testing.assert_array_equal(one, other)
    assert [type(event) for event in found if isinstance(event, hearwire.StreamStarted)] == [hearwire.StreamStarted]
    for one, other in zip(windows(found), windows(expected)):
        assert one.centre_ms == other.centre_ms
        np.testing.assert_array_equal(one.embedding, other.embedding)
    assert len(windows(found)) == len(windows(expected))
    for field in ("audio_ms", "timestamp_rows", "scene_windows"):
        assert getattr(found[-1], field) == getattr(expected[-1], field)


def windows(events):
    return [event for event in events if isinstance(event, hearwire.SceneWindow)]
