"""docs/ray.md and docs/search.md as they are written."""

import importlib.util
import os
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bulk_sounds import chirps
from conftest import REPOSITORY


def examples(page):
    return re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / page).read_text(encoding="utf-8"), re.S)


def run(code, server, folder):
    """As a program of its own, and returns what it prints."""
    with tempfile.TemporaryDirectory(prefix="hw-", dir="/tmp", ignore_cleanup_errors=True) as short:
        # A Ray of this machine alone, as small as it may be.
        small = f"num_cpus=3, object_store_memory=100 << 20, include_dashboard=False, _temp_dir='{short}'"
        small = f"import ray; ray.init({small})\n"
        code = (small if "hearwire.ray" in code else "") + code.replace("127.0.0.1:8001", server.address)
        variables = {
            **{"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)},
            **{"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable},
        }
        ended = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


@pytest.fixture
def folder(tmp_path):
    """With the sounds that the pages' examples name."""
    (tmp_path / "sounds").mkdir()
    for name, path in zip("abc", chirps(tmp_path, 3)):
        pathlib.Path(path).rename(tmp_path / f"sounds/{name}.wav")
    (tmp_path / "corpus").mkdir()
    content = [path.read_bytes() for path in sorted((tmp_path / "sounds").iterdir())]
    pq.write_table(pa.table({"id": range(3), "sound": content}), tmp_path / "corpus/part.parquet")
    return tmp_path


def written(folder):
    return pq.ParquetDataset(folder).read().to_pylist()


def test_ray(own_server, folder):
    stage, bytes_of_parquet, *_ = examples("ray.md")
    printed = run(stage + bytes_of_parquet, own_server, folder)
    assert "3 rows, 0 of them without an embedding" in printed
    assert len(written(folder / "embeddings")) == 3
    assert {row["id"] for row in written(folder / "timestamps")} == {0, 1, 2}


@pytest.mark.parametrize("engine", ["dask", "pyspark"])
def test_other_engines(engine, own_server, folder):
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    (example,) = [code for code in examples("ray.md") if engine in code]
    run(example, own_server, folder)
    rows = written(folder / f"embeddings-{engine.removeprefix('py')}")
    assert len(rows) == 3 and all(row["error"] is None and len(row["embedding"]) == 184 for row in rows)


def test_search(own_server, shared, tmp_path):
    if not (shared / "esc10").is_dir():
        pytest.skip(f"no ESC-10 recordings: {shared}/esc10 would hold them")
    (tmp_path / "ESC-10").symlink_to(shared / "esc10")
    printed = run("\n".join(examples("search.md")), own_server, tmp_path)
    assert "400 sounds" in printed
    nearest = re.search(r"^0\.000 (.*)$", printed, re.M)
    assert nearest and nearest[1].startswith("ESC-10/001")
    first, five = map(int, re.search(r"same class for (\d+)%, of the nearest five (\d+)% are", printed).groups())
    assert first >= 90 and five >= 85
    assert "mn10_all_b_mel_avgs-0000000000000000-1-float32" in printed  # No such table.


def test_the_examples_are_found():
    assert [len(examples(page)) for page in ("ray.md", "search.md")] == [4, 5]
