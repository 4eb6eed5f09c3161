"""hearwire.ray on a local Ray of several workers, with real servers that die."""

import glob
import os
import pathlib
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bulk_sounds import chirps
from conftest import PATIENCE, REPOSITORY

import hearwire

# Before Ray is imported. A token of one's own, or it writes one into the home folder.
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
import ray  # noqa: E402

import hearwire.ray  # noqa: E402
from hearwire._own_server import OwnServer  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # Workers do not see this file.
    # Sockets have short names, or none.
    folder = tempfile.mkdtemp(prefix="hw-", dir="/tmp")
    ray.init(
        num_cpus=3,
        object_store_memory=100 << 20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        _temp_dir=folder,
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """ESC-10's 400 recordings, or as many sounds that are made; and four broken files."""
    folder = tmp_path_factory.mktemp("corpus")
    shared = pathlib.Path(os.environ.get("HEARWIRE_SHARED") or REPOSITORY.parent / "shared") / "esc10"
    recordings = sorted(shared.glob("*/*.ogg"))
    for path in recordings:
        (folder / path.parent.name).mkdir(exist_ok=True)
        (folder / path.parent.name / path.name).symlink_to(path)
    if not recordings:
        chirps(folder, 400)
    broken = {
        "empty.wav": b"",
        "no_sound.ogg": b"OggS and no more",
        "text.flac": b"a text" * 1000,
    }
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    (folder / "gone.wav").symlink_to(folder / "nowhere")
    (folder / "notes.txt").write_text("no sound, and not one by its name")
    return folder


def kill(flag, after_cpu_seconds=0.0):
    """Ends the server that has this flag as by a fault, once it has used so much, and returns whether there was one."""
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            words = pathlib.Path(path).read_bytes().split(b"\0")
            times = pathlib.Path(path).with_name("stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # It has just ended.
        cpu_seconds = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
        if words[0].endswith(b"hearwire-server") and flag.encode() in words and cpu_seconds >= after_cpu_seconds:
            os.kill(int(path.split("/")[2]), signal.SIGKILL)
            return True
    return False


def rows_in(output):
    table = pa.concat_tables([pq.read_table(name) for name in sorted(glob.glob(f"{output}/*.parquet"))])
    return table.to_pylist()


class Killer(threading.Thread):
    """Ends one server that has this flag in the middle of its work."""

    def __init__(self, flag):
        super().__init__(daemon=True)
        self._flag, self.has_killed, self.ended = flag, False, threading.Event()
        self.start()

    def run(self):
        # A start takes less than this, and half the corpus more.
        while not self.has_killed and not self.ended.wait(0.01):
            self.has_killed = kill(self._flag, after_cpu_seconds=0.2)


def test_a_corpus_is_embedded_whole_though_a_server_dies_and_files_are_broken(corpus, own_server, tmp_path):
    output = tmp_path / "embeddings"
    flag = "--max-clips=97"
    stage = hearwire.ray.Stage(server_flags=[flag], workers=2, batch_size=20)
    killer = Killer(flag)
    written = stage.write(corpus, output)
    killer.ended.set()
    killer.join()
    assert killer.has_killed
    assert written == hearwire.ray.Written(rows=404, errors=4)

    rows = {row["path"]: row for row in rows_in(output)}
    names = [name for name, row in rows.items() if row["error"] is None]
    assert len(rows) == 404 and len(names) == 400
    assert {pathlib.Path(name).name for name in rows.keys() - names} == {
        *("empty.wav", "gone.wav", "no_sound.ogg", "text.flac")
    }
    with hearwire.Client(own_server.address, deadline=60 * PATIENCE) as client:
        for name, reply in zip(names, client.map_scene_embeddings(names)):
            np.testing.assert_array_equal(np.float32(rows[name]["embedding"]), reply.embeddings[0])
            assert hearwire.EmbeddingSpace(**rows[name]["space"]) == reply.space

    # What is there is not embedded again; a file that was not finished is.
    parts = sorted(output.glob("*.parquet"))
    before = {part.name: part.stat().st_mtime_ns for part in parts}
    lost = pq.read_table(parts[0]).num_rows
    parts[0].write_bytes(parts[0].read_bytes()[:-20])
    (new,) = chirps(corpus, 1)
    assert stage.write(corpus, output) == hearwire.ray.Written(rows=405, errors=4)
    after = {part.name: part.stat().st_mtime_ns for part in output.glob("*.parquet")}
    assert {name: after[name] for name in list(before)[1:]} == {name: before[name] for name in list(before)[1:]}
    assert sum(pq.read_metadata(output / name).num_rows for name in after.keys() - before.keys()) == lost + 1
    assert len({row["path"] for row in rows_in(output)}) == 405


def killing(corpus, flag):
    """The corpus, whose row 60 ends the server before it gets there."""

    def at_60(rows):
        if 60 in rows["id"].to_pylist():
            kill(flag)
        return rows

    return corpus.map_batches(at_60, batch_size=10, batch_format="pyarrow")


def test_a_run_that_servers_ended_goes_on_with_others(own_server, tmp_path):
    """Bytes in Parquet, timestamps, and servers by their names: the only one dies, then one of two."""
    (tmp_path / "sounds").mkdir()
    content = [pathlib.Path(path).read_bytes() for path in chirps(tmp_path / "sounds", 120)]
    content[7] = b"no sound"
    table = pa.table({"id": range(120), "sound": content, "note": ["x"] * 120})
    pq.write_table(table, tmp_path / "corpus.parquet", row_group_size=10)
    corpus = ray.data.read_parquet(str(tmp_path / "corpus.parquet"), override_num_blocks=12)
    output = tmp_path / "embeddings"
    named = {"kind": "timestamps", "audio": "sound", "batch_size": 10}

    first = OwnServer(["--max-clips=91"])
    stage = hearwire.ray.Stage(client=hearwire.Client(first.address, deadline=60 * PATIENCE), patience=0.5, **named)
    with pytest.raises(hearwire.HearwireError) as raised:
        stage.write(killing(corpus, "--max-clips=91"), output, key="id")
    assert raised.value.unreachable and not first.is_running()

    second = OwnServer(["--max-clips=92"])
    client = hearwire.Client(f"{own_server.address},{second.address}", deadline=60 * PATIENCE)
    stage = hearwire.ray.Stage(client=client, **named)
    written = stage.write(killing(corpus, "--max-clips=92"), output, key="id")
    assert not second.is_running()
    assert written == hearwire.ray.Written(rows=120, errors=1)
    rows = rows_in(output)
    assert sorted(row["id"] for row in rows) == list(range(120))
    assert "sound" not in rows[0] and rows[0]["note"] == "x"
    with hearwire.Client(own_server.address, deadline=60 * PATIENCE) as client:
        for row in rows:
            if row["id"] == 7:
                assert row["error"] and row["embedding"] is None
            else:
                expected = client.get_timestamp_embeddings([content[row["id"]]]).clips[0]
                np.testing.assert_array_equal(np.float32(row["embedding"]), expected.embeddings)
                assert row["timestamps_ms"] == list(expected.timestamps_ms)


def test_it_is_a_stage_among_others(own_server, tmp_path):
    paths = chirps(tmp_path, 3)
    stage = hearwire.ray.Stage(client=hearwire.Client(own_server.address))
    sounds = hearwire.ray.files([*paths, "missing.wav"])
    found = stage.add_to(sounds).filter(expr=ray.data.expressions.col("error").is_null())
    assert sorted(row["path"] for row in found.take_all()) == paths


def parquet(path, columns):
    pq.write_table(pa.table(columns), path)
    return ray.data.read_parquet(str(path))


@pytest.mark.parametrize("case", ["no column", "no key", "the key is bytes"])
def test_columns_that_will_not_do_are_named(case, tmp_path):
    named = {
        "no column": ({"path": ["x"]}, "sound", "path", KeyError, 'no column "sound"; it has path'),
        "no key": ({"path": ["x"]}, "path", "id", KeyError, 'no column "id"; it has path'),
        "the key is bytes": ({"path": [b"x"]}, "path", "path", ValueError, "names each row"),
    }
    columns, audio, key, error, words = named[case]
    stage = hearwire.ray.Stage(client=hearwire.Client("127.0.0.1:1"), audio=audio)
    with pytest.raises(error, match=words):
        stage.write(parquet(tmp_path / "x.parquet", columns), tmp_path / "out", key=key)
    assert not (tmp_path / "out").exists()


def test_parquet_that_is_none_is_named(own_server, tmp_path):
    (tmp_path / "corpus").mkdir()
    pq.write_table(pa.table({"path": chirps(tmp_path, 1)}), tmp_path / "corpus/a.parquet")
    (tmp_path / "corpus/b.parquet").write_bytes(b"PAR1 no more of it PAR1")
    stage = hearwire.ray.Stage(client=hearwire.Client(own_server.address))
    with pytest.raises(Exception, match="b.parquet|[Pp]arquet"):
        stage.write(ray.data.read_parquet(str(tmp_path / "corpus")), tmp_path / "out")


def test_sounds_that_are_not_there_are_refused(tmp_path):
    stage = hearwire.ray.Stage(client=hearwire.Client("127.0.0.1:1"))
    (tmp_path / "folder").mkdir()
    bad = [(tmp_path / "nowhere", "is no folder"), (tmp_path / "folder", "no sounds"), ([], "no sounds")]
    for sounds, words in bad:
        with pytest.raises(ValueError, match=words):
            stage.write(sounds, tmp_path / "out")


def test_without_a_server_it_says_so_at_once(tmp_path):
    begun = time.monotonic()
    with pytest.raises(hearwire.HearwireError, match="no server at 127.0.0.1:1"):
        hearwire.ray.Stage(client=hearwire.Client("127.0.0.1:1")).write(chirps(tmp_path, 1), tmp_path / "out")
    assert time.monotonic() - begun < 60 * PATIENCE  # Not as long as servers may be away.


def test_a_server_of_ones_own_that_cannot_start_says_why(tmp_path):
    stage = hearwire.ray.Stage(server_flags=["--networks=mn99_as"])
    with pytest.raises(RuntimeError, match="mn99_as"):
        stage.write(chirps(tmp_path, 1), tmp_path / "out")


def test_an_unknown_config_is_refused(own_server, tmp_path):
    stage = hearwire.ray.Stage("hearwire_mn01_all_b_mel_avg", client=hearwire.Client(own_server.address))
    with pytest.raises(ValueError, match="127.0.0.1:[0-9]+ has hearwire_mn01_all_b_mel_avgs"):
        stage.write(chirps(tmp_path, 1), tmp_path / "out")


def test_an_output_holds_embeddings_of_one_kind_and_space(own_server, tmp_path):
    client, sounds = hearwire.Client(own_server.address), chirps(tmp_path, 1)
    (tmp_path / "out").mkdir()
    path = tmp_path / "out/part.parquet"

    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(ValueError, match="something else"):
        hearwire.ray.Stage(client=client).write(sounds, tmp_path / "out")

    pq.write_table(hearwire.bulk.Embedder(client)(pa.table({"path": sounds})), path)
    with pytest.raises(ValueError, match="another kind"):
        hearwire.ray.Stage(client=client, kind="timestamps").write(sounds, tmp_path / "out")

    other = hearwire.bulk.Embedder(client)(pa.table({"path": sounds})).to_pylist()
    other[0]["space"]["weights_sha256"] = "of other weights"
    pq.write_table(pa.Table.from_pylist(other), path)
    with pytest.raises(RuntimeError, match="must not be mixed"):
        hearwire.ray.Stage(client=client).write(sounds, tmp_path / "out")


@pytest.mark.parametrize("arguments", [{"workers": 0}, {"batch_size": 0}, {"server_flags": ["--x"]}])
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError):
        hearwire.ray.Stage(client=hearwire.Client("127.0.0.1:1"), **arguments)
