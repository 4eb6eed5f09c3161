"""What heareval.predictions.runner leaves of a task: scores beside the embeddings, checkpoints in a folder of logs."""

from __future__ import annotations

import csv
import dataclasses
import json
import pathlib
from typing import Any, Optional

from hearwire.heads.errors import HeadError
from hearwire.heads.torch_checkpoint import TorchCheckpoint, read_torch_checkpoint

_KINDS = {"scene": "scene", "event": "timestamps"}
_OUTPUTS = {"multiclass": "softmax", "multilabel": "sigmoid"}


@dataclasses.dataclass(frozen=True)
class Split:
    """A division of the task's sounds into those to train, to validate and to test with, and what came of it."""

    name: str  # Of the part that was tested on, such as "fold00".
    validation_score: float
    epoch: int
    test_scores: dict[str, float]


@dataclasses.dataclass(frozen=True)
class HearevalRun:
    folder: pathlib.Path
    task: str
    module: str  # That made the embeddings, such as "hearwire.hear.mn10_all_b_mel_avgs".
    kind: str
    output: str
    labels: tuple[str, ...]
    splits: tuple[Split, ...]
    larger_is_better: bool  # Of validation scores.
    embedding_path: str  # The folder's name to heareval, by which it calls the folder of logs too.


def read_heareval_run(folder: pathlib.Path) -> HearevalRun:
    """folder: of a task's embeddings. Raises HeadError, OSError."""
    metadata = _json(folder / "task_metadata.json", "heareval.embeddings.runner makes a folder with it for each task")
    results = _json(folder / "test.predicted-scores.json", "heareval.predictions.runner writes it when it is done")
    try:
        splits = tuple(
            Split(
                name,
                float(result["validation_score"]),
                int(result["epoch"]),
                {measure: value for measure, value in result.items() if measure.startswith("test_")},
            )
            for name, result in results.items()
            if isinstance(result, dict) and "validation_score" in result
        )
        return HearevalRun(
            folder=folder,
            task=str(metadata["task_name"]),
            module=folder.resolve().parent.name,
            kind=_KINDS[metadata["embedding_type"]],
            output=_OUTPUTS[metadata["prediction_type"]],
            labels=_labels(folder / "labelvocabulary.csv"),
            splits=splits,
            larger_is_better=results["score_mode"] == "max",
            embedding_path=str(results["embedding_path"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise HeadError(f"{folder} holds no task as heareval leaves it: {error!r}") from None


def choose_split(run: HearevalRun, name: Optional[str]) -> Split:
    """The split of that name, else the one with the best validation score, which the test's scores have no part in."""
    if not run.splits:
        raise HeadError(f"{run.folder}/test.predicted-scores.json names no split")
    if name is None:
        best = max if run.larger_is_better else min
        return best(run.splits, key=lambda split: split.validation_score)
    for split in run.splits:
        if split.name == name:
            return split
    raise HeadError(f"{run.folder} has no split {name}: {', '.join(split.name for split in run.splits)} would be right")


def find_checkpoint(run: HearevalRun, split: Split, logs: pathlib.Path) -> TorchCheckpoint:
    """heareval does not say which of its checkpoints a split's is: its validation score and epoch tell.

    An earlier run may have left one that has both the same: the newest is taken.
    """
    folder = logs / run.embedding_path
    paths = sorted(folder.rglob("*.ckpt"), key=lambda path: path.stat().st_mtime, reverse=True)
    if not paths:
        raise HeadError(
            f"{folder} holds no checkpoints: heareval.predictions.runner leaves them in the folder logs where it is "
            "run, which --logs names"
        )
    for path in paths:
        checkpoint = read_torch_checkpoint(path)
        if (checkpoint.score, checkpoint.epoch) == (split.validation_score, split.epoch):
            return checkpoint
    raise HeadError(
        f"{folder}: none of its {len(paths)} checkpoints is of epoch {split.epoch} with the validation score "
        f"{split.validation_score} of {split.name}, so they are of another run"
    )


def _json(path: pathlib.Path, origin: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HeadError(f"there is no {path}: {origin}") from None
    except ValueError as error:
        raise HeadError(f"{path} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise HeadError(f"{path} is no JSON object")
    return content


def _labels(path: pathlib.Path) -> tuple[str, ...]:
    with open(path, newline="", encoding="utf-8") as file:
        labels = {int(row["idx"]): row["label"] for row in csv.DictReader(file)}
    if sorted(labels) != list(range(len(labels))):
        raise HeadError(f"{path}: the indices are not 0 to {len(labels) - 1}")
    return tuple(labels[i] for i in range(len(labels)))
