"""What batching across callers gains, beside what the engine gains from batches, in turns: timestamps of clips of 0.2 s
with mn10 from 32 callers, once with the default batches and once with a window in each.

    batching_gain.py BUILD FOLDER RESULTS [--rounds N]

FOLDER: where server_cost.py has put its checkpoints.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import arguments
from hearwire_server import Server

CONFIG = "mn10_all_b_mel_avgs"
WINDOW_FRAMES = 16
LOAD = ["--concurrency=32", "--kind=timestamps", "--clip-seconds=0.2", "--warm-up=1", "--duration=5"]


def engine_gain(build: pathlib.Path) -> float:
    """Of batches of 64 windows over batches of one, on one thread."""
    lines = subprocess.run([build / "tests/batch_bench", "1", "64"], capture_output=True, text=True, check=True).stdout
    return float(re.search(r"batches of +64: .* gain ([0-9.]+)", lines).group(1))


def load(build: pathlib.Path, server: Server, report: pathlib.Path) -> dict[str, float]:
    subprocess.run(
        [build / "bin/hearwire-load", f"--server={server.address}", f"--metrics-url=http://{server.metrics_address}/metrics",
         f"--json={report}", *LOAD], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = json.loads(report.read_text())
    assert found["failed"] == 0 and found["count_check"]["agrees"], report
    return {
        "calls_per_second": found["calls_per_second"], "cpu_ms_per_call": found["server"]["cpu_ms_per_call"],
        "windows_per_batch": found["server"]["windows_per_batch"], "calls_per_batch": found["server"]["calls_per_batch"],
        "p99_ms": found["p99_ms"],
    }


def main() -> None:
    options = arguments.parser(rounds=5).parse_args()

    flags = ["--device=cpu", f"--model-repository={options.folder}/repository-mn10", f"--default-config={CONFIG}",
             "--log-level=warning"]
    found: dict[str, list] = {"engine": [], "batched": [], "one window": []}
    with Server(*flags) as batched, Server(*flags, f"--max-batch-frames={WINDOW_FRAMES}") as single:
        for _ in range(options.rounds):
            found["engine"].append(engine_gain(options.build))
            for name, server in (("batched", batched), ("one window", single)):
                found[name].append(load(options.build, server, options.folder / "load.json"))
    options.results.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
