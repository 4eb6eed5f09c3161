"""Recordings in streams behind deploy/haproxy, as fast as they go: their rows are larger than the audio."""

import os
import subprocess
import sys

import numpy as np
import pytest
from front import BEHIND, Front, secure
from hearwire_server import BIN, PATIENCE, Server, shared_folder
from python_client import package

CONFIG = "mn04_all_b_mel_avgs"
SECONDS, RATE = 180, 32000

PYTHON = """
import asyncio, sys, numpy as np, hearwire
kind, config, sound, rows = sys.argv[1:]
samples = np.fromfile(sound, np.int16)
pieces = [samples[i : i + 32000] for i in range(0, len(samples), 32000)]
found, asked = [], {"config": config, "timestamps": True, "idle_timeout": 15}
if kind == "Client":
    with hearwire.Client() as client:
        found = list(client.stream(pieces, 32000, **asked))
else:
    async def main():
        async with hearwire.AsyncClient() as client:
            return [event async for event in client.stream(pieces, 32000, **asked)]
    found = asyncio.run(main())
np.save(rows, np.concatenate([event.embeddings for event in found if isinstance(event, hearwire.ClipTimestampEmbeddings)]))
"""


@pytest.fixture(scope="module")
def server():
    folder = shared_folder()
    if folder is None:
        pytest.skip("no checkpoints: set HEARWIRE_SHARED to the folder that holds golden/checkpoints")
    with Server(*BEHIND, f"--model-repository={folder}/golden/checkpoints", "--networks=mn04_as") as running:
        yield running


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "sound.raw"
    path.write_bytes(np.random.default_rng(1).integers(-9000, 9000, SECONDS * RATE, np.int16).tobytes())
    return path


def rows_of(client: str, sound, folder, env: dict[str, str]) -> np.ndarray:
    rows = folder / f"{client}.npy"
    command = [sys.executable, "-c", PYTHON, client, CONFIG, sound, rows]
    if client == "hearwire":
        command = [BIN / "hearwire", "stream", sound, "--rate", str(RATE), "--config", CONFIG, "--timestamps", "--output", rows,
                   "--force", "--idle-timeout", f"{15 * PATIENCE}s"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HEARWIRE_")}
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120 * PATIENCE,
                           env={**clean, **env, "PYTHONPATH": package()})
    assert ended.returncode == 0, ended.stderr
    return np.load(rows)


@pytest.fixture(scope="module")
def direct(server, sound, tmp_path_factory):
    rows = rows_of("hearwire", sound, tmp_path_factory.mktemp("direct"), {"HEARWIRE_SERVER": server.address})
    assert len(rows) == SECONDS * 20 + 1
    return rows


@pytest.mark.parametrize("client", ["hearwire", "Client", "AsyncClient"])
def test_a_recording_gets_all_its_rows(certificates, server, sound, direct, tmp_path, client):
    """Without the front's x-hearwire-max-bytes-ahead hearwire stalls until its idle timeout. The Python clients, whose
    windows are larger, were not seen to."""
    with Front(certificates, [server.address]) as front:
        np.testing.assert_array_equal(rows_of(client, sound, tmp_path, secure(certificates, front)), direct)
