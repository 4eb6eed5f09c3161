"""How good a head is on sounds that it was not fitted on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from hearwire.heads.fit_head import Rows
from hearwire.heads.head import Head


@dataclasses.dataclass(frozen=True)
class FoldScore:
    fold: str
    sounds: int
    score: float  # NaN where a fold's sounds have no label at all, of which there is no precision.


@dataclasses.dataclass(frozen=True)
class Validation:
    """Scores of rows, each by the head that was fitted without the row's fold."""

    measure: str  # "accuracy" or, where a sound may have several labels, "mean average precision" over labels.
    folds: tuple[FoldScore, ...]
    by_label: tuple[float, ...]  # Of the rows of all folds together: recall or average precision.

    @property
    def mean(self) -> float:
        return float(np.nanmean([fold.score for fold in self.folds]))

    @property
    def deviation(self) -> float:
        return float(np.nanstd([fold.score for fold in self.folds]))


def cross_validate(
    rows: Rows,
    owners: npt.NDArray[np.int64],
    folds: Sequence[str],
    multi_label: bool,
    fit: Callable[[Rows], Head],
) -> Validation:
    """owners: [rows], which sound a row is of. folds: of each sound."""
    places = np.array(folds)[owners]
    scores = np.zeros(rows.targets.shape)
    found = []
    for fold in sorted(set(folds)):
        out = places == fold
        head = fit(Rows(rows.embeddings[~out], rows.targets[~out]))
        scores[out] = head.scores(rows.embeddings[out])
        score = _precision(scores[out], rows.targets[out]) if multi_label else _accuracy(scores[out], rows.targets[out])
        found.append(FoldScore(fold, folds.count(fold), score))
    if multi_label:
        by_label = _precisions(scores, rows.targets)
    else:
        by_label = [_accuracy(scores[of_it], rows.targets[of_it]) for of_it in rows.targets.T]
    return Validation("mean average precision" if multi_label else "accuracy", tuple(found), tuple(by_label))


def _accuracy(scores: Any, targets: Any) -> float:
    return float((scores.argmax(axis=1) == targets.argmax(axis=1)).mean())


def _precision(scores: Any, targets: Any) -> float:
    """Over the labels that are there: of others there is none."""
    there = targets.any(axis=0)
    return float(np.mean(_precisions(scores[:, there], targets[:, there]))) if there.any() else float("nan")


def _precisions(scores: Any, targets: Any) -> list[float]:
    return [float(average_precision_score(targets[:, i], scores[:, i])) for i in range(targets.shape[1])]
