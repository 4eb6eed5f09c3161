"""A stage of bulk work: a table of sounds in, the same table with their embeddings out.

It is a plain function of Arrow tables, for whatever distributes them: hearwire.ray is Ray Data's; docs/ray.md has Spark
and Dask. Needs pyarrow.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any, Optional

import numpy as np
import pyarrow as pa
import pyarrow.fs

from hearwire._in_order import check_in_flight
from hearwire._persistent import Persistent
from hearwire.audio import Clip
from hearwire.client import Client
from hearwire.replies import EmbeddingSpace, SceneEmbeddings, TimestampEmbeddings

KINDS = ("scene", "timestamps")
SPACE = pa.struct([(field.name, pa.string()) for field in dataclasses.fields(EmbeddingSpace)])
_ROW = pa.list_(pa.float32())


class Embedder:
    """Adds to each row of a table the embedding of its sound, or what is wrong with that. Not thread-safe.

    client: asked for all rows, `in_flight` calls at once; fewer while its server asks for time. None: a subclass that
        knows better overrides `connect`.
    config "": the server's. kind: "scene", or "timestamps": a row every 50 ms.
    audio: the column of sounds: names of files (of this machine, or as pyarrow.fs knows them: s3://…), or bytes of
        them. Bytes do not come out again.
    patience: seconds that servers may be away.
    space: what all embeddings must be of; None: that of the first.

    May be pickled: what is unpickled connects anew. Calls raise KeyError for a table without the column, RuntimeError
    for embeddings of another space, and HearwireError for what would fail every row: a config that is not served,
    servers that are away for longer.
    """

    def __init__(
        self,
        client: Optional[Client],
        config: str = "",
        kind: str = "scene",
        *,
        audio: str = "path",
        in_flight: int = 16,
        patience: float = 300.0,
        space: Optional[EmbeddingSpace] = None,
    ):
        if kind not in KINDS:
            raise ValueError(f'kind="{kind}": {" or ".join(KINDS)} would be right')
        if not 0 <= patience < math.inf:
            raise ValueError(f"patience={patience}: a number of seconds would be right")
        self._client = client
        self._config = config
        self._kind = kind
        self._audio = audio
        self.space = space
        self._persistent = Persistent(self.connect, check_in_flight(in_flight), patience)

    def connect(self) -> Client:
        """The client to ask, now; called for each table, and after failures."""
        assert self._client is not None
        return self._client

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """That of the tables that come out, for those that go in."""
        return self._attach(schema.empty_table(), []).schema

    def batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """As Spark's mapInArrow calls it."""
        for batch in batches:
            yield from self(pa.Table.from_batches([batch])).to_batches()

    def __call__(self, table: pa.Table) -> pa.Table:
        """Adds the columns embedding, config, space, error, and timestamps_ms for timestamps.

        Of embedding and error one is null.
        """
        if self._audio not in table.column_names:
            raise KeyError(f'the table has no column "{self._audio}"; it has {", ".join(table.column_names) or "none"}')
        clips = [_clip(value) for value in table[self._audio].to_pylist()]
        answers = self._persistent.answers(clips, self._ask)
        for answer in answers:
            if isinstance(answer, (SceneEmbeddings, TimestampEmbeddings)):
                self.space = self.space or answer.space
                check_space(answer.space, self.space)
        return self._attach(table, answers)

    def _ask(self, client: Client, clips: Iterable[Clip], in_flight: int) -> Any:
        ask: Any = client.map_scene_embeddings if self._kind == "scene" else client.map_timestamp_embeddings
        return ask(clips, self._config, in_flight=in_flight, progress=False)

    def _attach(self, table: pa.Table, answers: list[Any]) -> pa.Table:
        if is_bytes(table.schema.field(self._audio).type):
            table = table.drop_columns([self._audio])
        embeddings: list[Any] = [None if isinstance(answer, str) else answer for answer in answers]
        if self._kind == "scene":
            rows = [None if one is None else one.embeddings[0] for one in embeddings]
            columns = {"embedding": _lists(rows, pa.float32())}
        else:
            clips = [None if one is None else one.clips[0] for one in embeddings]
            columns = {
                "embedding": _matrices([None if clip is None else clip.embeddings for clip in clips]),
                "timestamps_ms": _lists([None if clip is None else clip.timestamps_ms for clip in clips], pa.float64()),
            }
        spaces = [None if one is None else dataclasses.asdict(one.space) for one in embeddings]
        configs = [self._config if one is None else one.space.config for one in embeddings]
        columns["config"] = pa.array(configs, pa.string())
        columns["space"] = pa.array(spaces, SPACE)
        columns["error"] = pa.array([one if isinstance(one, str) else None for one in answers], pa.string())
        for name, column in columns.items():
            table = table.append_column(name, column)
        return table


def is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def check_space(found: EmbeddingSpace, expected: EmbeddingSpace) -> None:
    """Raises RuntimeError: embeddings of different spaces cannot be compared."""
    if found != expected:
        raise RuntimeError(
            f"the embeddings are of {found}, those before of {expected}: they must not be mixed. All servers need the "
            "same checkpoint, and another one an output of its own"
        )


class _Remote:
    """Opened when it is read, so that a failure is its own row's."""

    def __init__(self, uri: str):
        self._uri = uri

    def read(self) -> bytes:
        filesystem, path = pyarrow.fs.FileSystem.from_uri(self._uri)
        with filesystem.open_input_file(path) as file:
            content: bytes = file.read()
        return content


def _clip(value: Any) -> Any:
    return _Remote(value) if isinstance(value, str) and "://" in value and not os.path.exists(value) else value


def _lists(rows: list[Any], kind: pa.DataType) -> pa.Array:
    """Of arrays, or None: a null."""
    flat = [row for row in rows if row is not None]
    values = np.concatenate(flat) if flat else np.empty(0)
    return pa.ListArray.from_arrays(_offsets(rows), pa.array(values, kind))


def _matrices(clips: list[Any]) -> pa.Array:
    """Of arrays [rows, size], or None: a null."""
    there = [clip for clip in clips if clip is not None]
    size = there[0].shape[1] if there else 0
    rows = sum(len(clip) for clip in there)
    values = np.concatenate([clip.reshape(-1) for clip in there]) if there else np.empty(0)
    inner = pa.ListArray.from_arrays(pa.array(np.arange(rows + 1) * size, pa.int32()), pa.array(values, pa.float32()))
    return pa.ListArray.from_arrays(_offsets(clips), inner)


def _offsets(parts: list[Any]) -> pa.Array:
    """Where each part begins; a null where there is none."""
    ends = list(itertools.accumulate((0 if part is None else len(part) for part in parts), initial=0))
    return pa.array([None if part is None else start for part, start in zip(parts, ends)] + [ends[-1]], pa.int32())
