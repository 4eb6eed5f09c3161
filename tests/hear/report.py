#!/usr/bin/env python3
"""Prints the scores of one model's run of HEAR's tools, and compares them with the reference's where those are known.

usage: report.py EMBEDDINGS CONFIG GOLDEN

EMBEDDINGS: what the runners wrote for the model. GOLDEN: the folder with the reference's embedding file. Ends with 1
when embeddings or scores differ by more than they may, or are missing.
"""

from __future__ import annotations

import json
import pathlib
import sys

import numpy as np

# The reference's scores on these tasks with the published weights, by one run of HEAR's tools with one thread.
REFERENCE = {
    "mn04_all_b_mel_avgs": {
        "esc10-v1.0.0-full": {"top1_acc": 0.9725, "mAP": 0.9919, "aucroc": 0.9987, "loss": 0.1392},
        "esc10events-v1.0.0-full": {
            "event_onset_200ms_fms": 0.7261,
            "event_onset_200ms_fms_precision": 0.6832,
            "event_onset_200ms_fms_recall": 0.7746,
            "segment_1s_er": 0.3242,
            "loss": 0.1615,
        },
    }
}
# Training amplifies rounding: noise of 1e-6 moved a score by 0.01. Accuracy is judged by the embeddings themselves.
SCORE_TOLERANCE = 0.03
EMBEDDING_TOLERANCE = 1e-4  # Times the largest absolute value, if that is over 1.
GOLDEN_FILES = {"mn04_all_b_mel_avgs": {"esc10-v1.0.0-full/fold00.embeddings.npy": "esc10_fold00.embeddings.npy"}}


def scores(path: pathlib.Path) -> dict[str, float]:
    """heareval's test scores: of the mean over folds, or of the one test split."""
    content = json.loads(path.read_text())
    found = content["aggregated_scores"] if "aggregated_scores" in content else content["test"]
    plain = {
        key[len("test_") :].removesuffix("_mean"): value for key, value in found.items() if key.startswith("test_")
    }
    # Left out: spreads over folds, and what stands there a second time under another name.
    twice = ("_std", "_f_measure", "_error_rate", "score")
    return {key: value for key, value in plain.items() if isinstance(value, float) and not key.endswith(twice)}


def compare_embeddings(run: pathlib.Path, config: str, golden: pathlib.Path) -> bool:
    good = True
    for name, reference in GOLDEN_FILES.get(config, {}).items():
        missing = [path for path in (run / name, golden / reference) if not path.exists()]
        if missing:
            print(f"{name}: there is no {missing[0]}: FAIL")
            good = False
            continue
        found, expected = (np.fromfile(path, "<f4") for path in (run / name, golden / reference))
        if found.shape != expected.shape:
            print(f"{name}: {found.size} values, the reference has {expected.size}: FAIL")
            good = False
            continue
        difference = float(np.abs(found - expected).max())
        allowed = EMBEDDING_TOLERANCE * max(1.0, float(np.abs(expected).max()))
        good &= difference <= allowed
        verdict = "ok" if difference <= allowed else "FAIL"
        print(f"{name}: {found.size} values, largest difference from the reference {difference:.2g}: {verdict}")
    return good


def main() -> int:
    run, config, golden = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    good = compare_embeddings(run, config, golden)
    reference = REFERENCE.get(config, {})
    tasks = {path.parent.name: scores(path) for path in sorted(run.glob("*/test.predicted-scores.json"))}
    for task in sorted(set(reference) | set(tasks)):
        if task not in tasks:
            print(f"{task}: no scores: FAIL")
            good = False
            continue
        print(f"{task}")
        for name in sorted(set(tasks[task]) | set(reference.get(task, {}))):
            found, expected = tasks[task].get(name), reference.get(task, {}).get(name)
            words = "-" if found is None else f"{found:.4f}"
            if expected is not None:
                ok = found is not None and abs(found - expected) <= SCORE_TOLERANCE
                good &= ok
                words += f"  reference {expected:.4f}  {'ok' if ok else 'FAIL'}"
            print(f"  {name:32s} {words}")
    if not tasks:
        print(f"{run} holds no scores: FAIL")
    return 0 if good and tasks else 1


if __name__ == "__main__":
    sys.exit(main())
