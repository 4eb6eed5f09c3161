"""Many calls, several in flight, their replies in order.

A slow call holds back the replies behind it, but not their calls, until four times `in_flight` are unfinished or
untaken: what is in memory does not grow with the number of clips.
"""

from __future__ import annotations

import asyncio
import collections
import operator
import queue
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Coroutine, Generator, Iterable, Iterator
from typing import Any, Callable, Generic, Optional, TypeVar, Union

from tqdm.auto import tqdm

from hearwire.audio import Clip

Reply = TypeVar("Reply")
AHEAD = 4


class Replies(Iterator[Reply]):
    """One reply for each clip, in the clips' order. The first clip that fails raises, and ends it."""

    def __init__(self, results: Generator[Union[Reply, Exception], None, None]):
        self._results = results

    def __next__(self) -> Reply:
        result = next(self._results)
        if isinstance(result, Exception):
            self.close()
            raise result
        return result

    def including_errors(self) -> Iterator[Union[Reply, Exception]]:
        """The same, but a clip that fails has its exception among the replies, and the others go on."""
        return self._results

    def close(self) -> None:
        """Cancels the calls under way."""
        self._results.close()


class AsyncReplies(AsyncIterator[Reply]):
    """One reply for each clip, in the clips' order. The first clip that fails raises, and ends it."""

    def __init__(self, results: AsyncGenerator[Union[Reply, Exception], None]):
        self._results = results

    async def __anext__(self) -> Reply:
        result = await self._results.__anext__()
        if isinstance(result, Exception):
            await self.aclose()
            raise result
        return result

    def including_errors(self) -> AsyncIterator[Union[Reply, Exception]]:
        """The same, but a clip that fails has its exception among the replies, and the others go on."""
        return self._results

    async def aclose(self) -> None:
        """Cancels the calls under way."""
        await self._results.aclose()


class Pending(Generic[Reply]):
    """A call under way, of which `rpc` is gRPC's future, or one that could not even be started."""

    def __init__(self, rpc: Any, finish: Callable[[], Reply]):
        self.rpc = rpc
        self.finish = finish

    def result(self) -> Union[Reply, Exception]:
        try:
            return self.finish()
        except Exception as error:
            return error


def check_in_flight(in_flight: int) -> int:
    if in_flight < 1:
        raise ValueError(f"in_flight={in_flight}: 1 or more would be right")
    return in_flight


def progress_bar(clips: Any, shown: Optional[bool]) -> Any:
    """None: in a notebook, and on standard error where that is a terminal."""
    total: Optional[int] = operator.length_hint(clips, -1)
    # tqdm takes disable=None for "where there is no terminal"; its bar for notebooks needs none.
    disable = None if shown is None else not shown
    return tqdm(total=total if total != -1 else None, unit="clip", disable=disable)


def in_order(
    clips: Iterable[Clip], start: Callable[[Clip], Pending[Reply]], in_flight: int, progress: Optional[bool]
) -> Generator[Union[Reply, Exception], None, None]:
    finished: queue.SimpleQueue[None] = queue.SimpleQueue()
    untaken: collections.deque[Pending[Reply]] = collections.deque()
    source: Optional[Iterator[Clip]] = iter(clips)
    running = 0
    with progress_bar(clips, progress) as bar:
        try:
            while source is not None or untaken:
                while not finished.empty():
                    finished.get()
                    running -= 1
                if untaken and untaken[0].rpc.done():
                    bar.update()
                    yield untaken.popleft().result()
                elif source is not None and running < in_flight and len(untaken) < AHEAD * in_flight:
                    try:
                        clip = next(source)
                    except StopIteration:
                        source = None
                        continue
                    pending = start(clip)
                    untaken.append(pending)
                    running += 1
                    pending.rpc.add_done_callback(lambda _: finished.put(None))
                else:
                    finished.get()
                    running -= 1
        finally:
            for pending in untaken:
                pending.rpc.cancel()


async def in_order_async(
    clips: Union[Iterable[Clip], AsyncIterable[Clip]],
    call: Callable[[Clip], Coroutine[Any, Any, Reply]],
    in_flight: int,
    progress: Optional[bool],
) -> AsyncGenerator[Union[Reply, Exception], None]:
    running: set[asyncio.Task[Reply]] = set()
    untaken: collections.deque[asyncio.Task[Reply]] = collections.deque()
    wanted, news = asyncio.Event(), asyncio.Event()

    def ended(task: asyncio.Task[Reply]) -> None:
        running.discard(task)
        news.set()

    async def read() -> None:
        """Starts a call of the next clip whenever one is wanted.

        One task reads all: a source may hold what belongs to the task that it began in, such as a timeout.
        """
        source = _async_iterator(clips)
        try:
            await wanted.wait()
            async for clip in source:
                task = asyncio.create_task(call(clip))
                untaken.append(task)
                running.add(task)
                task.add_done_callback(ended)
                wanted.clear()
                news.set()
                await wanted.wait()
        finally:
            await source.aclose()

    with progress_bar(clips, progress) as bar:
        reader = asyncio.create_task(read())
        reader.add_done_callback(lambda _: news.set())
        try:
            while untaken or not reader.done():
                news.clear()
                if untaken and untaken[0].done():
                    bar.update()
                    taken = untaken.popleft()
                    error = taken.exception()
                    if error is not None and not isinstance(error, Exception):
                        raise error
                    yield taken.result() if error is None else error
                    continue
                if reader.done():
                    reader.result()
                elif len(running) < in_flight and len(untaken) < AHEAD * in_flight:
                    wanted.set()
                await news.wait()
            reader.result()  # What the source raised.
        finally:
            for task in (reader, *untaken):
                task.cancel()
            await asyncio.gather(reader, *untaken, return_exceptions=True)


async def _async_iterator(clips: Union[Iterable[Clip], AsyncIterable[Clip]]) -> AsyncGenerator[Clip, None]:
    """Closes the source with itself, where that can be closed."""
    if not isinstance(clips, AsyncIterable):
        for clip in clips:
            yield clip
        return
    source = clips.__aiter__()
    try:
        async for clip in source:
            yield clip
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()
