"""The rate of hearwire.ray beside that of map_timestamp_embeddings, in turns, at one server with mn10.

    .deps/bulk/bin/python tests/bench/bulk_rate.py PROGRAM REPOSITORY SOUNDS [--rounds N]

PROGRAM: hearwire-server. REPOSITORY: the folder of mn10_as.pt. SOUNDS: a folder. The package must be installed.
Ray's rate is that between its first file and its last: without its start, with what it writes.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import secrets
import shutil
import statistics
import tempfile
import time

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))

import pyarrow as pa
import pyarrow.parquet as pq
import ray

import hearwire.ray
from hearwire._own_server import OwnServer
from hearwire._sound_files import sounds_below

CONFIG = "mn10_all_b_mel_avgs"
BATCH = 32


def ray_rate(client: hearwire.Client, names: list[str], folder: pathlib.Path) -> float:
    output = folder / "embeddings"
    sounds = ray.data.from_arrow(pa.table({"path": names}), override_num_blocks=len(names) // BATCH)
    written = hearwire.ray.Stage(CONFIG, "timestamps", client=client, batch_size=BATCH).write(sounds, output)
    assert written == hearwire.ray.Written(len(names), 0), written
    parts = sorted((path.stat().st_mtime, pq.read_metadata(path).num_rows) for path in output.glob("*.parquet"))
    shutil.rmtree(output)
    return sum(rows for _, rows in parts[1:]) / (parts[-1][0] - parts[0][0])


def map_rate(client: hearwire.Client, names: list[str]) -> float:
    begun = time.time()
    for _ in client.map_timestamp_embeddings(names, CONFIG, progress=False):
        pass
    return len(names) / (time.time() - begun)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("program", "repository", "sounds"):
        parser.add_argument(name)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["HEARWIRE_SERVER_PROGRAM"] = options.program
    names = [str(path) for path in sounds_below(options.sounds)]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hw-", dir="/tmp"))
    ray.init(num_cpus=2, object_store_memory=512 << 20, include_dashboard=False, log_to_driver=False,
             logging_level="ERROR", _temp_dir=str(folder / "ray"))
    server = OwnServer([f"--model-repository={options.repository}", "--device=cpu"])
    ratios = []
    with hearwire.Client(server.address, deadline=300) as client:
        map_rate(client, names[:32])
        for _ in range(options.rounds):
            direct, bulk = map_rate(client, names), ray_rate(client, names, folder)
            ratios.append(bulk / direct)
            rates = f"map {direct:.1f} sounds/s, Ray {bulk:.1f}, ratio {bulk / direct:.2f}"
            print(f"{rates}, load {os.getloadavg()[0]:.0f}", flush=True)
    server.stop()
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
    print(f"median ratio {statistics.median(ratios):.2f} of {len(ratios)} pairs, {len(names)} sounds")


if __name__ == "__main__":
    main()
