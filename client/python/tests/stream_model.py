"""A server's side of streams that computes rows from the samples, so that a missing, doubled or wrong row is seen.

The model of tests/client/stream_server.h, in Python: int16 samples, one channel. Rows have windows of 160 ms: [index,
sum of the window's samples, 0]; those whose window begins within 1.1 s of a first_sample above 0 are wrong. Scene
windows: [index, sum].
"""

import dataclasses

import grpc
import numpy as np
from scripted_server import error_info, fail

from hearwire.v1 import embedding_pb2 as pb

WRONG_MS = 1100


@dataclasses.dataclass
class Plan:
    end_after_rows: int = -1  # UNAVAILABLE then; -1: never.
    facts: bool = False  # Says where to go on.
    refuse: bool = False  # UNAVAILABLE at once.
    cancels: bool = False  # CANCELLED, without a word, in the place of either.
    weights: str = "abc123"
    # Audio that may be on its way: it takes it as slowly as that allows, and fails the call where more comes. 0: any.
    bytes_ahead: int = 0


def matrix(rows):
    values = np.array(rows, "<f4")
    return pb.Matrix(
        rows=len(values), columns=values.shape[1], element_type=pb.ELEMENT_TYPE_FLOAT32, data=values.tobytes()
    )


def started(weights="abc123"):
    space = pb.EmbeddingSpace(config="model", weights_sha256=weights)
    return pb.StreamEmbeddingsResponse(started=pb.StreamStarted(space=space, timestamp_embedding_size=3))


def row_at(ms, values=(1.0, 2.0)):
    return pb.StreamEmbeddingsResponse(
        timestamps=pb.TimestampEmbeddings(embeddings=matrix([values]), timestamps_ms=[ms])
    )


def summary(rows, scenes=0, **fields):
    return pb.StreamEmbeddingsResponse(
        summary=pb.StreamSummary(timestamp_rows=rows, scene_windows=scenes, **fields)
    )


class _Model:
    def __init__(self, plan, start, context):
        self.plan, self.start, self.context = plan, start, context
        self.samples = np.zeros(0, np.int64)
        self.rest = b""
        self.next_row = self.next_scene = self.rows = self.scenes = 0
        self.first_ms = start.first_sample * 1000 / start.sample_rate_hertz

    @property
    def end_ms(self):
        return (self.start.first_sample + len(self.samples)) * 1000 / self.start.sample_rate_hertz

    def take(self, data):
        whole = self.rest + data
        even = len(whole) // 2 * 2
        self.rest = whole[even:]
        self.samples = np.concatenate([self.samples, np.frombuffer(whole[:even], "<i2").astype(np.int64)])

    def sum(self, low, high):
        rate = self.start.sample_rate_hertz / 1000
        low, high = (int(max(0, ms - self.first_ms) * rate) for ms in (low, high))
        return float(self.samples[low:high].sum() % 65536)

    def answer(self, ended):
        while True:
            centre = self.next_row * 50.0
            if (centre if ended else centre + 80) > self.end_ms:
                break
            if self.start.first_sample and centre - 80 < self.first_ms:
                self.next_row += 1
                continue
            if self.rows == self.plan.end_after_rows:
                self.end()
            wrong = bool(self.start.first_sample) and centre - 80 < self.first_ms + WRONG_MS
            if self.start.timestamps:
                yield row_at(centre, [self.next_row, self.sum(centre - 80, centre + 80), wrong])
            if "every50" in self.start.heads:
                row = pb.LabelRow(timestamp_ms=centre, labels=[pb.Label(index=self.next_row, score=0.5)])
                yield pb.StreamEmbeddingsResponse(
                    head_rows=pb.HeadRows(heads=[pb.HeadAnswer(head="every50", rows=[row])])
                )
            self.rows += 1
            self.next_row += 1
        if not (self.start.scenes or self.start.tags_top_k) or self.end_ms <= 10_000:
            return
        while True:
            centre = self.next_scene * 2500.0
            if (centre if ended else centre + 5000) > self.end_ms:
                break
            if not self.start.first_sample or centre - 5000 >= self.first_ms:
                scene = pb.SceneWindow(centre_ms=centre)
                if self.start.scenes:
                    values = [self.next_scene, self.sum(centre - 5000, centre + 5000)]
                    scene.embedding.CopyFrom(matrix([values]))
                if self.start.tags_top_k:
                    scene.tags.add(index=3, name="Dog", probability=0.5)
                yield pb.StreamEmbeddingsResponse(scene=scene)
                self.scenes += 1
            self.next_scene += 1

    def end(self):
        if self.plan.cancels:
            self.context.abort(grpc.StatusCode.CANCELLED, "")
        details = []
        if self.plan.facts:
            needed = self.next_row * 50.0 - 80 - WRONG_MS
            if self.start.scenes:
                needed = min(needed, self.next_scene * 2500.0 - 5000 - WRONG_MS)
            sample = int(max(needed, self.first_ms) * self.start.sample_rate_hertz / 1000)
            details = [error_info("SHUTTING_DOWN", resume_sample=str(sample), timestamp_rows=str(self.rows))]
        fail(self.context, grpc.StatusCode.UNAVAILABLE, "gone", details, pushback_ms=-1)


def serve(plan, requests, context):
    """A call of StreamEmbeddings."""
    model = _Model(plan, next(requests).start, context)
    if plan.refuse:
        if plan.cancels:
            context.abort(grpc.StatusCode.CANCELLED, "")
        fail(context, grpc.StatusCode.UNAVAILABLE, "draining", [error_info("SHUTTING_DOWN")], pushback_ms=-1)
    bound, taken, size = plan.bytes_ahead, 0, 0  # taken: as the client has heard.
    if bound:
        context.send_initial_metadata([("x-hearwire-max-bytes-ahead", str(bound))])
    yield started(plan.weights)
    for request in requests:
        model.take(request.samples)
        size += len(request.samples)
        # 16 KiB: what a client may send that has not heard of the bound.
        if bound and size > max(taken + bound, 16 << 10):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "more has come than may be on its way")
        if bound and taken + bound - size < bound // 4:
            taken = size
            yield pb.StreamEmbeddingsResponse(taken=pb.StreamTaken(bytes=size))
        yield from model.answer(ended=False)
    yield from model.answer(ended=True)
    fields = {}
    if model.start.scenes and not model.start.first_sample:
        fields["scene"] = matrix([[-1, model.sum(0, model.end_ms)]])
    yield summary(model.rows if model.start.timestamps else 0, model.scenes, audio_ms=model.end_ms, **fields)


def plans(*of_calls):
    """One plan for each call; the last one for all others."""
    made = []

    def stream(requests, context):
        made.append(True)
        return serve(of_calls[min(len(made), len(of_calls)) - 1], requests, context)

    return stream
