"""Many clips in flight, by both clients: order, bounds, failures, the progress bar."""

import asyncio
import io
import subprocess
import sys
import threading

import grpc
import pytest
from conftest import PATIENCE
from scripted_server import fail, scene_reply

import hearwire


def numbered(count):
    """Clip i has i + 1 bytes, which the scripted server answers with."""
    return [bytes(i + 1) for i in range(count)]


def blocking(server, clips, errors=False, **options):
    with hearwire.Client(server.address) as client:
        replies = client.map_scene_embeddings(clips, **options)
        return list(replies.including_errors() if errors else replies)


def on_a_loop(server, clips, errors=False, **options):
    async def run():
        async with hearwire.AsyncClient(server.address) as client:
            replies = client.map_scene_embeddings(clips, **options)
            return [reply async for reply in (replies.including_errors() if errors else replies)]

    return asyncio.run(asyncio.wait_for(run(), 60 * PATIENCE))


both = pytest.mark.parametrize("run", [blocking, on_a_loop])


def sizes(replies):
    return [int(reply.embeddings[0, 1]) for reply in replies]


@both
def test_replies_keep_the_order_of_the_clips(scripted, run):
    later_is_done = threading.Event()

    def answer(request, context):
        size = len(request.clips[0].encoded)
        if size == 1:
            assert later_is_done.wait(20)
        if size == 8:
            later_is_done.set()
        return scene_reply(request)

    scripted.answer = answer
    assert sizes(run(scripted, numbered(8), in_flight=8)) == list(range(1, 9))


@both
def test_in_flight_bounds_the_calls_at_once_and_is_reached(scripted, run):
    arrivals = threading.Condition()

    def answer(request, context):
        with arrivals:
            arrivals.notify_all()
            assert arrivals.wait_for(lambda: scripted.requests >= 4, 20)
            # None of the first four is answered while a fifth could still come.
            arrivals.wait_for(lambda: scripted.requests > 4, 0.3)
        return scene_reply(request)

    scripted.answer = answer
    assert len(run(scripted, numbered(12), in_flight=4)) == 12
    assert scripted.most_at_once == 4


@both
def test_a_slow_call_holds_back_no_more_than_four_times_in_flight(scripted, run):
    """The first clip is answered when seven others were, and no further one comes."""
    arrivals, seen = threading.Condition(), []

    def answer(request, context):
        with arrivals:
            arrivals.notify_all()
            if len(request.clips[0].encoded) == 1:
                assert arrivals.wait_for(lambda: scripted.requests >= 8, 20)
                arrivals.wait_for(lambda: scripted.requests > 8, 0.3)
                seen.append(scripted.requests)
        return scene_reply(request)

    scripted.answer = answer
    assert sizes(run(scripted, numbered(40), in_flight=2)) == list(range(1, 41))
    assert seen == [8]


@both
def test_clips_are_read_as_they_are_needed(scripted, run):
    read = []

    def clips():
        for clip in numbered(100):
            read.append(clip)
            yield clip

    scripted.answer = lambda request, context: fail(context, grpc.StatusCode.INVALID_ARGUMENT, "no", [])
    with pytest.raises(hearwire.HearwireError, match="no"):
        run(scripted, clips(), in_flight=2)
    assert len(read) <= 8


@both
def test_failures_stand_among_the_replies_when_asked_for(scripted, run, tmp_path):
    def answer(request, context):
        if len(request.clips[0].encoded) == 2:
            fail(context, grpc.StatusCode.INVALID_ARGUMENT, "no", [])
        return scene_reply(request)

    scripted.answer = answer
    clips = [bytes(1), bytes(2), tmp_path / "none.wav", 5, bytes(3)]
    replies = run(scripted, clips, errors=True)
    assert [type(reply).__name__ for reply in replies] == [
        "SceneEmbeddings",
        "HearwireError",
        "FileNotFoundError",
        "TypeError",
        "SceneEmbeddings",
    ]
    assert sizes([replies[0], replies[4]]) == [1, 3]


@both
def test_no_clips_give_no_replies(scripted, run):
    assert run(scripted, []) == []


@both
def test_a_lone_clip_is_not_taken_for_a_list(scripted, run):
    for clip in ("dog.wav", b"RIFF"):
        with pytest.raises(TypeError, match=r"\[clip\]"):
            run(scripted, clip)


@both
def test_in_flight_must_be_positive(scripted, run):
    with pytest.raises(ValueError, match="in_flight"):
        run(scripted, numbered(2), in_flight=0)


def test_clips_may_come_from_an_asynchronous_source(scripted):
    async def clips():
        for clip in numbered(20):
            await asyncio.sleep(0)
            yield clip

    assert sizes(on_a_loop(scripted, clips())) == list(range(1, 21))


def test_a_reply_does_not_wait_for_the_sources_next_clip(scripted):
    closed = []

    async def run():
        clips = asyncio.Queue()

        async def source():
            try:
                while True:
                    yield await clips.get()
            finally:
                await asyncio.sleep(0)
                closed.append(True)

        async with hearwire.AsyncClient(scripted.address) as client:
            replies = client.map_scene_embeddings(source(), in_flight=2)
            for clip in numbered(12):
                clips.put_nowait(clip)
                assert sizes([await asyncio.wait_for(replies.__anext__(), 10)]) == [len(clip)]
            for clip in numbered(12):
                clips.put_nowait(clip)
            assert sizes([await asyncio.wait_for(replies.__anext__(), 10) for _ in range(12)]) == list(range(1, 13))
            await replies.aclose()
            assert closed == [True]

    asyncio.run(run())


def test_cancelling_while_the_source_is_waited_for_closes_it(scripted):
    async def run():
        waiting, closed = asyncio.Event(), []

        async def source():
            yield bytes(1)
            try:
                waiting.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                closed.append("cancelled")
                raise
            finally:
                closed.append("closed")

        async def take():
            async with hearwire.AsyncClient(scripted.address) as client:
                async for _ in client.map_scene_embeddings(source()):
                    pass

        taking = asyncio.create_task(take())
        await asyncio.wait_for(waiting.wait(), 20)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(taking, 20)
        assert closed == ["cancelled", "closed"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_a_failing_clip_closes_an_asynchronous_source(scripted):
    closed = []

    async def source():
        try:
            yield 5
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    with pytest.raises(TypeError):
        on_a_loop(scripted, source())
    assert closed == [True]


@both
def test_what_a_source_raises_is_raised(scripted, run):
    def blocked():
        yield bytes(1)
        raise OSError("no more")

    async def on_the_loop():
        for clip in blocked():
            yield clip

    for source in [blocked] if run is blocking else [blocked, on_the_loop]:
        with pytest.raises(OSError, match="no more"):
            run(scripted, source())


def test_an_asynchronous_source_is_read_by_one_task(scripted):
    readers = []

    async def source():
        for clip in numbered(6):
            readers.append(asyncio.current_task())
            yield clip
        readers.append(asyncio.current_task())

    assert sizes(on_a_loop(scripted, source(), in_flight=2)) == list(range(1, 7))
    assert len(readers) == 7 and len(set(readers)) == 1


def cancelled_calls(scripted):
    """Answers the first clip once the second is there, and that one when its caller gives up: the event returned."""
    arrived, gone = threading.Event(), threading.Event()

    def answer(request, context):
        if len(request.clips[0].encoded) == 1:
            assert arrived.wait(20)
            return scene_reply(request)
        context.add_callback(gone.set)
        arrived.set()
        assert gone.wait(20)
        return scene_reply(request)

    scripted.answer = answer
    return gone


def test_leaving_early_cancels_what_is_under_way(scripted):
    gone = cancelled_calls(scripted)
    with hearwire.Client(scripted.address) as client:
        replies = client.map_scene_embeddings(numbered(2))
        next(replies)
        replies.close()
        assert gone.wait(10)


def test_leaving_early_cancels_what_is_under_way_on_a_loop(scripted):
    gone = cancelled_calls(scripted)

    async def run():
        async with hearwire.AsyncClient(scripted.address) as client:
            replies = client.map_scene_embeddings(numbered(2))
            await replies.__anext__()
            await asyncio.wait_for(replies.aclose(), 10)
            assert await asyncio.to_thread(gone.wait, 10)

    asyncio.run(run())


class Terminal(io.StringIO):
    def isatty(self):
        return True


@both
@pytest.mark.parametrize(
    "kind, progress, shown",
    [
        (Terminal, None, True),
        (Terminal, True, True),
        (Terminal, False, False),
        (io.StringIO, None, False),
        (io.StringIO, True, True),
        (io.StringIO, False, False),
    ],
)
def test_the_progress_bar_is_for_terminals(scripted, run, monkeypatch, kind, progress, shown):
    stderr = kind()
    monkeypatch.setattr(sys, "stderr", stderr)
    run(scripted, numbered(3), progress=progress)
    assert ("3/3" in stderr.getvalue()) == shown


NOTEBOOK = """
import sys, types
from unittest import mock

# As much of Jupyter as tqdm, by its version, looks for.
ipython = types.ModuleType("IPython")
ipython.get_ipython = lambda: types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules.update({"IPython": ipython, "ipykernel.zmqshell": types.ModuleType("zmqshell")})
sys.modules.update({"IPython.display": mock.MagicMock(), "ipywidgets": mock.MagicMock()})

class Box(mock.MagicMock):
    def __init__(self, children=(), **named):
        super().__init__(**named)
        self.children = children

sys.modules["ipywidgets"].HBox = Box
sys.modules["IPython.display"].display = lambda bar: print("a bar of the notebook's own")

import hearwire

server = sys.argv[1]
with hearwire.Client(server) as client:
    list(client.map_scene_embeddings([b"RIFF"], progress={"None": None, "False": False}[sys.argv[2]]))
"""


@pytest.mark.parametrize("progress", ["None", "False"])
def test_notebooks_show_a_bar_of_their_own(scripted, progress):
    command = [sys.executable, "-W", "ignore", "-c", NOTEBOOK, scripted.address, progress]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert ("a bar of the notebook's own" in ended.stdout) == (progress == "None"), ended.stdout + ended.stderr
    assert ended.stderr == ""
