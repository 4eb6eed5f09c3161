#!/usr/bin/env python3
"""Makes a head of each task that HEAR's tools have run (`hearwire heads import`), and compares its scores with those that
the tools computed for the sounds of their test.

usage: check_heads.py EMBEDDINGS HEADS

EMBEDDINGS: what the runners wrote for the model. HEADS: the folder that the heads go to. Reads the folder logs of the
tools from where it is run. The server is the one that HEARWIRE_SERVER names, or one of its own. Ends with 1 when scores
differ by more than rounding, or there are none.
"""

from __future__ import annotations

import json
import os
import pathlib
import pickle
import sys

import numpy as np

from hearwire.__main__ import main as hearwire
from hearwire._own_server import OwnServer

# The tools compute in float32: their own scores were up to 1e-6 from those in double precision, the heads' 5e-8.
TOLERANCE = 5e-6


def read_head(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    words = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        first, behind = entry["data_offsets"]
        tensors[name] = np.frombuffer(content[end + first : end + behind], "<f4").reshape(entry["shape"])
    return tensors, words


def scores(path: pathlib.Path, embeddings: np.ndarray) -> np.ndarray:
    """What the format says that a head computes, in double precision."""
    tensors, words = read_head(path)
    x = embeddings.astype(np.float64)
    for i in range(len(tensors) // 2):
        x = (np.maximum(x, 0) if i else x) @ tensors[f"{i}.weight"].T.astype(np.float64) + tensors[f"{i}.bias"]
    if words["output"] == "sigmoid":
        return 1 / (1 + np.exp(-x))
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def check(task: pathlib.Path, heads: pathlib.Path, server: str) -> bool:
    good = True
    splits = json.loads((task / "test.predicted-scores.json").read_text())
    for split in sorted(name for name, result in splits.items() if "validation_score" in result):
        head = heads / f"{task.name}-{split}.safetensors"
        code = hearwire(
            ["heads", "import", str(task), "--split", split, "--output", str(head), "--force", "--server", server]
        )
        if code != 0:
            return False
        rows, columns = json.loads((task / f"{split}.embedding-dimensions.json").read_text())
        embeddings = np.fromfile(task / f"{split}.embeddings.npy", "<f4").reshape(rows, columns)
        with open(task / f"{split}.predictions.pkl", "rb") as file:
            expected = pickle.load(file)["prediction"].numpy()
        difference = float(np.abs(scores(head, embeddings) - expected).max())
        good &= difference <= TOLERANCE
        verdict = "ok" if difference <= TOLERANCE else "FAIL"
        print(f"{head}: {expected.shape} scores, largest difference from heareval's {difference:.2g}: {verdict}")
    return good


def main() -> int:
    run, heads = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    heads.mkdir(parents=True, exist_ok=True)
    tasks = [path.parent for path in sorted(run.glob("*/test.predicted-scores.json"))]
    if not tasks:
        print(f"{run} holds no scores: FAIL")
        return 1
    server = os.environ.get("HEARWIRE_SERVER") or OwnServer([]).address
    return 0 if all([check(task, heads, server) for task in tasks]) else 1


if __name__ == "__main__":
    sys.exit(main())
