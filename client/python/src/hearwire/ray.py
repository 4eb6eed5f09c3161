"""Embeddings of a corpus by Ray Data: sounds in, Parquet out, on as many machines as the cluster has.

    import hearwire.ray

    hearwire.ray.Stage("mn10_all_b_mel_avgs").write("sounds/", "embeddings/")

docs/ray.md tells how it runs on a cluster. `pip install hearwire[ray]` brings Ray.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any, Optional, Union

import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import ray
import ray.data

from hearwire._ray_servers import PoolEmbedder
from hearwire._sound_files import sounds_below
from hearwire.bulk import Embedder, check_space, is_bytes
from hearwire.client import Client
from hearwire.replies import EmbeddingSpace

_log = logging.getLogger(__name__)
Path = Union[str, "os.PathLike[str]"]
# Embeddings hardly shrink, and trying costs as much as a small network.
_PARQUET: dict[str, Any] = {"use_dictionary": ["config", "error"], "compression": "none"}


@dataclasses.dataclass(frozen=True)
class Written:
    """What the output holds now, with what was there before."""

    rows: int
    errors: int  # Of these have no embedding: their column error says why.


class Stage:
    """Adds embeddings to datasets of Ray's.

    client: of servers that run. None: each machine with a worker gets a server of its own, started with `server_flags`
        (--model-repository=DIR), and another one when that dies; they end with this object.
    workers: actors that send sounds, each on a CPU of Ray's; None: one for each machine.
    batch_size: rows that such an actor is given at once; it has `in_flight` of them on their way.
    config, kind, audio, patience: as hearwire.bulk.Embedder has them.
    """

    def __init__(
        self,
        config: str = "",
        kind: str = "scene",
        *,
        client: Optional[Client] = None,
        server_flags: Sequence[str] = (),
        audio: str = "path",
        workers: Optional[int] = None,
        batch_size: int = 64,
        in_flight: int = 16,
        patience: float = 300.0,
    ):
        if client is not None and server_flags:
            raise ValueError("server_flags= are for servers of one's own: give them or client=")
        for name, value in (("workers", workers), ("batch_size", batch_size)):
            if value is not None and value < 1:
                raise ValueError(f"{name}={value}: 1 or more would be right")
        named: Any = dict(config=config, kind=kind, audio=audio, in_flight=in_flight, patience=patience)
        self._embedder = PoolEmbedder(server_flags, **named) if client is None else Embedder(client, **named)
        self._config = config
        self._kind = kind
        self._audio = audio
        self._workers = workers
        self._batch_size = batch_size

    def add_to(self, dataset: ray.data.Dataset) -> ray.data.Dataset:
        """The dataset with the columns that hearwire.bulk.Embedder adds, lazily."""
        return self._add_to(dataset, "", None)

    def write(
        self, sounds: Union[Path, Sequence[Path], ray.data.Dataset], output: Path, *, key: str = "path"
    ) -> Written:
        """Writes the embeddings of all sounds into Parquet files in the folder `output`. Returns when they are there.

        sounds: a folder, names of files, or a dataset.
        output: a folder that all machines see, or a URI (s3://…). Called again, after whatever ended it, it goes on
            with the rows that are not there; their keys are held by this program and by each worker.
        key: the column that names a row, each its own.

        What is wrong with a sound is its row's error. Raises, and leaves what is written: KeyError, ValueError and
        RuntimeError for what will not do, HearwireError for servers that fail, Ray's errors for what it cannot read.
        """
        dataset = sounds if isinstance(sounds, ray.data.Dataset) else files(sounds)
        self._check_columns(dataset, key)
        folder = os.fspath(output).rstrip("/")
        with _causes():
            self._embedder.space = ray.get(ray.remote(_served_space).remote(self._embedder, self._config))
        written = _written_keys(folder, key, self._embedder.space, self._kind)
        with _causes():
            self._add_to(dataset, key, written).write_parquet(folder, **_PARQUET)
        found = pyarrow.dataset.dataset(folder, format="parquet")
        return Written(found.count_rows(), found.count_rows(filter=pa.compute.field("error").is_valid()))

    def _add_to(self, dataset: ray.data.Dataset, key: str, but: Optional[pa.ChunkedArray]) -> ray.data.Dataset:
        nodes: Any = ray.nodes  # It has no types.
        machines = sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in nodes())
        return dataset.map_batches(
            _Worker,
            fn_constructor_args=[self._embedder, key, None if but is None else ray.put(but)],
            batch_format="pyarrow",
            batch_size=self._batch_size,
            compute=ray.data.ActorPoolStrategy(size=self._workers or max(1, machines)),
            num_cpus=1,
        )

    def _check_columns(self, dataset: ray.data.Dataset, key: str) -> None:
        columns = dataset.columns()
        for name in (self._audio, key):
            if name not in columns:
                raise KeyError(f'the dataset has no column "{name}"; it has {", ".join(columns)}')
        if key == self._audio and is_bytes(dataset.schema().base_schema.field(key).type):
            raise ValueError(f'key="{key}" is the column of the sounds\' bytes: one that names each row would be right')


def files(sounds: Union[Path, Sequence[Path]]) -> ray.data.Dataset:
    """A dataset with the column path: of the sounds in a folder and below it, or of these names."""
    if isinstance(sounds, (str, os.PathLike)):
        if not os.path.isdir(sounds):
            raise ValueError(f"{sounds} is no folder: a folder, a list of names or a dataset would be right")
        names = [str(path) for path in sounds_below(sounds)]
    else:
        names = sorted({os.fspath(name) for name in sounds})
    if not names:
        raise ValueError(f"there are no sounds in {sounds}")
    # Blocks small enough that all workers have some.
    return ray.data.from_arrow(pa.table({"path": names}), override_num_blocks=max(1, len(names) // 64))


class _Worker:
    """The stage on one of Ray's workers, which passes over rows whose `key` is in `but`."""

    def __init__(self, embedder: Embedder, key: str, but: Any):
        self._embedder = embedder
        self._key = key
        self._but = set() if but is None else set(ray.get(but).to_pylist())

    def __call__(self, table: pa.Table) -> pa.Table:
        if self._but:
            table = table.filter(pa.array([key not in self._but for key in table[self._key].to_pylist()], pa.bool_()))
        return self._embedder(table)


def _served_space(embedder: Embedder, config: str) -> EmbeddingSpace:
    """Runs on one of the cluster's machines: it is there that servers must be found."""
    client = embedder.connect()
    served = client.list_configs(loaded_only=True)
    for one in served:
        if one.name == config or (one.is_default and not config):
            assert one.space is not None
            return one.space
    names = [one.name for one in served]
    near = difflib.get_close_matches(config, names, 3) or names[:3]
    raise ValueError(f'no server has the config "{config}" loaded; {client.server} has {", ".join(near)} and others')


def _written_keys(folder: str, key: str, space: EmbeddingSpace, kind: str) -> Optional[pa.ChunkedArray]:
    """The keys in the output; None: it is empty. An output holds embeddings of one kind and one space.

    A file that an earlier run has not finished is put aside: it lacks its footer, which is written last.
    """
    filesystem, path = pyarrow.fs.FileSystem.from_uri(folder if "://" in folder else os.path.abspath(folder))
    found = filesystem.get_file_info(pyarrow.fs.FileSelector(path, allow_not_found=True))
    names = [one.path for one in found if one.path.endswith(".parquet") and not one.base_name.startswith(("_", "."))]
    for name in names[:]:
        try:
            pyarrow.parquet.read_metadata(name, filesystem=filesystem)
        except pa.ArrowInvalid:
            _log.warning("%s is no whole Parquet file: it is put aside, and its sounds are embedded again", name)
            filesystem.move(name, f"{path}/_{os.path.basename(name)}.unfinished")
            names.remove(name)
    if not names:
        return None
    parts = pyarrow.dataset.dataset(names, format="parquet", filesystem=filesystem)
    if not {"embedding", "space", "error", key} <= set(parts.schema.names):
        raise ValueError(f'{folder} holds Parquet files of something else, or without "{key}": take another folder')
    if ("timestamps_ms" in parts.schema.names) != (kind == "timestamps"):
        raise ValueError(f'{folder} holds embeddings of another kind than "{kind}": take another folder')
    for row in parts.head(1, columns=["space"], filter=pa.compute.field("error").is_null())["space"].to_pylist():
        check_space(space, EmbeddingSpace(**row))
    return parts.to_table(columns=[key])[key]


@contextlib.contextmanager
def _causes() -> Iterator[None]:
    """What Hearwire raised on a worker is raised here as it was, without Ray's frames around it."""
    try:
        yield
    except ray.exceptions.RayError as error:
        cause: Optional[BaseException] = error
        while cause is not None:
            if isinstance(cause, ray.exceptions.RayTaskError) and not isinstance(cause.cause, ray.exceptions.RayError):
                raise cause.cause from None
            cause = cause.__cause__
        raise
