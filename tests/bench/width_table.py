"""What each width costs: size, parameters, and CPU time on one thread, from samples to embeddings, in turns.

    width_table.py BUILD FOLDER RESULTS [--rounds N]
"""

from __future__ import annotations

import json
import pathlib
import re

import arguments
from compare import Program
from workloads import write_sound

WIDTHS = {"01": "0.1", "02": "0.2", "04": "0.4", "05": "0.5", "10": "1.0", "20": "2.0", "30": "3.0", "40": "4.0"}
CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "models/configs/config_table.cc"


def published_map(name: str) -> str | None:
    """The mean average precision on AudioSet that the published checkpoint's name tells, "0.471"."""
    found = re.search(rf"mn{name}_as_mAP_(\d+)\.pt", CONFIGS.read_text())
    return f"0.{found.group(1)}" if found else None


def main() -> None:
    options = arguments.parser().parse_args()

    options.folder.mkdir(parents=True, exist_ok=True)
    write_sound(options.folder / "sound")
    worker = Program(str(options.build / "tests/bench_worker"), "native", str(options.folder / "sound"))
    found = {}
    for name, width in WIDTHS.items():
        size, parameters = map(int, worker.ask("checkpoint", width, options.folder / "checkpoint.pt").split())
        found[f"mn{name}"] = {
            "bytes": size, "parameters": parameters, "map": published_map(name), "scene10": [], "timestamps10": []}
    (options.folder / "checkpoint.pt").unlink()
    for round_number in range(-1, options.rounds):
        for name, width in WIDTHS.items():
            for workload in ("scene10", "timestamps10"):
                seconds = worker.time("run", width, workload, 1, "all")[1]
                if round_number >= 0:
                    found[f"mn{name}"][workload].append(seconds)
    worker.close()
    options.results.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
