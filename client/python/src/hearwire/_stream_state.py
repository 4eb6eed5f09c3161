"""What a stream knows: what it asks for, which answers have come, and which audio may have to be sent again.

The same rules as the C++ client's (client/stream.h), without threads and without a loop: _stream.py and
_async_stream.py have those. What the two share is guarded by them.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterable, Sequence
from typing import Any, Optional

import grpc
import numpy.typing as npt

from hearwire import _calls
from hearwire._bytes_ahead import BytesAhead
from hearwire._channel import check_deadline
from hearwire._pieces import Format
from hearwire.audio import Encoding, as_hertz
from hearwire.errors import HearwireError
from hearwire.replies import (
    ClipTimestampEmbeddings,
    EmbeddingSpace,
    HeadAnswer,
    HeadRows,
    SceneWindow,
    StreamEvent,
    StreamStarted,
    StreamSummary,
)
from hearwire.v1 import embedding_pb2 as pb

# The server's --max-piece-bytes.
PIECE_BYTES = 1 << 20
# What is kept at most to be sent again: well over what any answer needs.
MOST_KEPT_SECONDS = 60
# Audio that the server's resampler needs before what it gives is right: 1.1 s, and some room.
_RESAMPLER_MS = 1200.0
# An answer needs audio from so long before its time on. The longest window of a row is 1280 ms.
_ROW_REACH_MS, _SCENE_REACH_MS = 800 + _RESAMPLER_MS, 5000 + _RESAMPLER_MS
_ROW_STEP_MS, _SCENE_STEP_MS = 50.0, 2500.0
_TOLERANCE_MS = 0.01
# A call that has lasted for longer was not in vain, even where there was nothing to answer.
_LONG_CALL_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class Ask:
    """What a stream is asked for: the arguments of Client.stream, checked."""

    sample_rate: int
    config: str
    timestamps: bool
    scenes: bool
    tags_top_k: int
    heads: tuple[str, ...]
    heads_top_k: int
    dtype: npt.DTypeLike
    first_sample: int
    resume: bool
    max_resumes: int
    idle_timeout: float
    deadline: Optional[float]

    def __post_init__(self) -> None:
        for name in ("tags_top_k", "heads_top_k", "first_sample", "max_resumes"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)}: 0 or more would be right")
        if not (self.timestamps or self.scenes or self.tags_top_k or self.heads):
            raise ValueError("the stream asks for nothing: timestamps, scenes, tags_top_k or heads would do")
        if not self.idle_timeout > 0:
            raise ValueError(f"idle_timeout={self.idle_timeout}: more than 0 seconds would be right")
        if self.deadline is not None:
            check_deadline(self.deadline)
        if not 1000 <= self.sample_rate <= 384_000:
            raise ValueError(f"sample_rate={self.sample_rate}: 1000 to 384000 would be right")
        _calls.element_type(self.dtype)

    def start(self, form: Format, first_sample: int) -> pb.StreamEmbeddingsRequest:
        return pb.StreamEmbeddingsRequest(
            start=pb.StreamStart(
                config=self.config,
                encoding=pb.Pcm.ENCODING_LINEAR16 if form.encoding is Encoding.LINEAR16 else pb.Pcm.ENCODING_FLOAT32,
                sample_rate_hertz=self.sample_rate,
                channel_count=form.channels,
                element_type=_calls.element_type(self.dtype),
                timestamps=self.timestamps,
                scenes=self.scenes,
                tags_top_k=self.tags_top_k,
                heads=self.heads,
                heads_top_k=self.heads_top_k,
                first_sample=first_sample,
                acknowledge=True,
            )
        )


def make_ask(
    sample_rate: int,
    config: str,
    timestamps: Optional[bool],
    scenes: bool,
    tags_top_k: int,
    heads: Sequence[str],
    heads_top_k: int,
    dtype: npt.DTypeLike,
    first_sample: int,
    resume: bool,
    max_resumes: int,
    idle_timeout: float,
    deadline: Optional[float],
) -> Ask:
    """Rows are what a stream is for, where nothing else is asked for."""
    if isinstance(heads, str):
        raise TypeError("heads is a list of names: [name] for one")
    rows = not (scenes or tags_top_k or heads) if timestamps is None else timestamps
    return Ask(
        as_hertz(sample_rate),
        config,
        rows,
        scenes,
        tags_top_k,
        tuple(heads),
        heads_top_k,
        dtype,
        first_sample,
        resume,
        max_resumes,
        idle_timeout,
        deadline,
    )


class AnswerTimes:
    """The times of one kind of answers, which come at equal steps: they say what is new and what is missing."""

    def __init__(self, name: str, step_ms: float, reach_ms: float):
        self._name, self._step, self._reach = name, step_ms, reach_ms
        self._next: Optional[float] = None  # When the next new answer is.
        self._next_of_call: Optional[float] = None  # When the call's next answer is.
        self.count = 0  # Without those that came again.
        self.count_of_call = 0

    def on_new_call(self) -> None:
        self._next_of_call, self.count_of_call = None, 0

    def count_seen(self, times_ms: Iterable[float]) -> int:
        """How many at the front have come before."""
        seen = 0
        for time in times_ms:
            expected = self._next_of_call
            # So written that a time that is no number is refused.
            if not math.isfinite(time) or (expected is not None and not abs(time - expected) <= _TOLERANCE_MS):
                raise _calls.contradiction(f"{self._name} at {time} ms where the one at {expected or 0} ms is next")
            self._next_of_call = time + self._step
            self.count_of_call += 1
            if self._next is not None and time < self._next - _TOLERANCE_MS:
                seen += 1
                continue
            if self._next is not None and time > self._next + _TOLERANCE_MS:
                raise HearwireError(
                    grpc.StatusCode.INTERNAL,
                    f"the stream that goes on lacks {self._name} from {self._next} to {time - self._step} ms",
                )
            self._next = self._next_of_call
            self.count += 1
        return seen

    def needed_from_ms(self) -> Optional[float]:
        return None if self._next is None else self._next - self._reach


class StreamState:
    def __init__(self, ask: Ask, form: Format, timestamp_heads: Sequence[str]):
        """timestamp_heads: those among the heads that are asked for."""
        self.ask = ask
        self.format = form
        self.finished = False  # The source has no more.
        self.summarised = False
        self._audio = bytearray()
        self._begin = 0  # Offset of _audio in all bytes of the stream.
        self._rows = AnswerTimes("the row", _ROW_STEP_MS, _ROW_REACH_MS)
        self._scenes = AnswerTimes("the scene window", _SCENE_STEP_MS, _SCENE_REACH_MS)
        self._heads = {
            name: AnswerTimes(f"the answer of head {name}", _ROW_STEP_MS, _ROW_REACH_MS) for name in timestamp_heads
        }
        # Scene heads are answered with the scene windows.
        self._has_scenes = ask.scenes or ask.tags_top_k > 0 or len(ask.heads) > len(self._heads)
        self._space: Optional[EmbeddingSpace] = None
        self.call_started = False
        self.ahead = BytesAhead()
        self._resumes = 0
        self._vain = 0  # In a row.

    @property
    def end(self) -> int:
        """Offset of what comes next."""
        return self._begin + len(self._audio)

    @property
    def full(self) -> bool:
        """No more may be kept before there are answers."""
        most = MOST_KEPT_SECONDS * self.ask.sample_rate * self.format.frame_bytes
        return self.ask.resume and len(self._audio) >= most

    def append(self, data: bytes) -> None:
        self._audio += data

    def piece(self, offset: int) -> bytes:
        """What may be sent next, as far as there is any. offset: of what comes after all that was sent."""
        at = offset - self._begin
        count = self.ahead.may_send(offset, min(self.end - offset, PIECE_BYTES))
        return bytes(self._audio[at : at + count])

    def all_sent(self, offset: int) -> bool:
        """There is no more, and will be none."""
        return self.finished and offset >= self.end

    def on_sent(self, offset: int) -> None:
        """A call has taken all before it."""
        if not self.ask.resume:
            self._drop_before(offset)

    def on_new_call(self, first_sample: int) -> int:
        """The offset of its first byte."""
        self.call_started = False
        for times in (self._rows, self._scenes, *self._heads.values()):
            times.on_new_call()
        self.ahead.on_new_call((first_sample - self.ask.first_sample) * self.format.frame_bytes)
        return self.ahead.begin

    def accept(self, message: pb.StreamEmbeddingsResponse, sent: int) -> Optional[StreamEvent]:
        """The event that a message holds; None where all of it has come before. sent: bytes, to this call."""
        if self.summarised:
            raise _calls.contradiction("it goes on after its summary")
        kind = message.WhichOneof("response")
        if not self.call_started and kind != "started":
            raise _calls.contradiction("it answers before it has started")
        event: Optional[StreamEvent]
        if kind == "started":
            return self._started(message.started)
        if kind == "taken":
            self.ahead.on_taken(message.taken.bytes, self.end)
            return None
        if kind == "timestamps":
            event = self._timestamps(message.timestamps)
        elif kind == "scene":
            event = self._scene(message.scene)
        elif kind == "head_rows":
            event = self._head_rows(message.head_rows)
        elif kind == "summary":
            event = self._summary(message.summary)
        else:
            raise _calls.contradiction("a message holds nothing that this client knows")
        if event is not None:
            self._vain = 0
        if self.ask.resume:
            needed = (self._needed_from_sample() - self.ask.first_sample) * self.format.frame_bytes
            self._drop_before(min(sent, needed))
        return event

    def resume_after(self, error: HearwireError, lasted: float) -> Optional[tuple[int, float]]:
        """Where the next call begins, in samples, and after how many seconds; None: the error ends the stream.

        lasted: seconds, of the call.
        """
        if not self.ask.resume or self._space is None or self.summarised:
            return None
        # The next server may be busy: it says so, and when it may not be.
        busy = error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and not self.call_started
        # Nothing was sent for longer than the server bears: more may come yet.
        idle = error.code is grpc.StatusCode.DEADLINE_EXCEEDED and error.reason == "STREAM_IDLE"
        # Proxies may put this in the place of the server's code, HAProxy 2.6 where it ended the stream before its client
        # did. What the server gave for a reason may come through all the same, or be lost too.
        lost = error.code is grpc.StatusCode.CANCELLED and error.reason in ("", "SHUTTING_DOWN", "STREAM_IDLE")
        gone = error.code is grpc.StatusCode.UNAVAILABLE or lost
        if not gone and not idle and not (busy and error.retry_delay is not None):
            return None
        if self.call_started and lasted > _LONG_CALL_SECONDS:
            self._vain = 0
        if self._vain >= self.ask.max_resumes:
            return None
        pause = min(0.1 * 2 ** min(self._vain, 10), 5.0) * random.uniform(0.8, 1.2)
        self._vain += 1
        return self._resume_sample(error), max(pause, error.retry_delay or 0.0)

    def _resume_sample(self, error: HearwireError) -> int:
        sample = self._needed_from_sample()
        # A server that says where knows better; but only one that had started says it of this stream.
        said = error.metadata.get("resume_sample")
        # Where a proxy ended the call, rows before that may be lost.
        if self.call_started and said is not None and error.code is not grpc.StatusCode.CANCELLED:
            if not said.isdecimal():
                raise _calls.contradiction(f"its resume_sample {said} is no number")
            sample = int(said)
        frame, origin = self.format.frame_bytes, self.ask.first_sample
        first, last = origin - -self._begin // frame, origin + self.end // frame
        if not first <= sample <= last:
            raise HearwireError(
                grpc.StatusCode.DATA_LOSS,
                f"the stream cannot go on at sample {sample}: those from {first} to {last} are kept",
            )
        return sample

    def _needed_from_sample(self) -> int:
        kinds = [self._rows] * self.ask.timestamps + [self._scenes] * self._has_scenes + list(self._heads.values())
        needed = [times.needed_from_ms() for times in kinds]
        first = min((-math.inf if ms is None else ms for ms in needed), default=-math.inf)
        origin = self.ask.first_sample
        return max(math.floor(first * self.ask.sample_rate / 1000), origin) if first > 0 else origin

    def _drop_before(self, offset: int) -> None:
        count = min(max(offset - self._begin, 0), len(self._audio))
        del self._audio[:count]
        self._begin += count

    def _started(self, started: pb.StreamStarted) -> Optional[StreamEvent]:
        if self.call_started:
            raise _calls.contradiction("it starts twice")
        self.call_started = True
        space = _calls.space(started.space)
        if self._space is None:
            self._space = space
            return StreamStarted(space, started.scene_embedding_size, started.timestamp_embedding_size)
        self._resumes += 1
        if space != self._space:
            raise HearwireError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"the stream would go on in another embedding space, {space} after {self._space}: its rows cannot be "
                "compared with those before",
            )
        return None

    def _timestamps(self, rows: pb.TimestampEmbeddings) -> Optional[StreamEvent]:
        embeddings, times = _calls.timestamp_rows(rows)
        seen = self._rows.count_seen(times.tolist())
        return ClipTimestampEmbeddings(embeddings[seen:], times[seen:]) if seen < len(times) else None

    def _scene(self, scene: pb.SceneWindow) -> Optional[StreamEvent]:
        event = SceneWindow(
            scene.centre_ms,
            _calls.one_row(scene.embedding) if scene.HasField("embedding") else None,
            _calls.tag_list(scene.tags),
            _calls.head_answers(scene.heads),
        )
        return None if self._scenes.count_seen([scene.centre_ms]) else event

    def _head_rows(self, rows: pb.HeadRows) -> Optional[StreamEvent]:
        new: dict[str, HeadAnswer] = {}
        for name, answer in _calls.head_answers(rows.heads).items():
            times = self._heads.get(name)
            if times is None:
                raise _calls.contradiction(f"it has rows of head {name}, not a timestamp head")
            seen = times.count_seen([row.timestamp_ms for row in answer.rows])
            if seen < len(answer.rows):
                new[name] = dataclasses.replace(answer, rows=answer.rows[seen:])
        return HeadRows(new) if new else None

    def _summary(self, summary: pb.StreamSummary) -> StreamEvent:
        if not self.finished:
            raise _calls.contradiction("its summary comes before the audio's end")
        for asked, what, said, times in (
            (self.ask.timestamps, "rows", summary.timestamp_rows, self._rows),
            (self._has_scenes, "scene windows", summary.scene_windows, self._scenes),
        ):
            if asked and said != times.count_of_call:
                raise _calls.contradiction(f"its summary counts {said} {what}, of which {times.count_of_call} came")
        self.summarised = True
        return StreamSummary(
            summary.audio_ms,
            self._rows.count,
            self._scenes.count,
            self._resumes,
            _calls.one_row(summary.scene) if summary.HasField("scene") else None,
            _calls.tag_list(summary.tags),
            _calls.head_answers(summary.heads),
        )


def late_error(server: str, seconds: float) -> HearwireError:
    return HearwireError(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        f"the server at {server} has neither taken audio nor answered for {seconds:g} s (the stream's idle_timeout)",
    )


def no_summary_error() -> HearwireError:
    return HearwireError(grpc.StatusCode.INTERNAL, "the server ended the stream without a summary")


def timestamp_heads(ask: Ask, loaded: Any) -> list[str]:
    """Those that are asked for. loaded: the ListHeadsResponse."""
    return [head.name for head in loaded.heads if head.name in ask.heads and head.kind == pb.HEAD_KIND_TIMESTAMPS]

