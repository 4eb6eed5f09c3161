"""From embeddings with labels to a head, by scikit-learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # scikit-learn brings it.

from hearwire.heads.head import Head, Layer, Matrix, float32
from hearwire.replies import EmbeddingSpace

# On standardised embeddings both end long before; scikit-learn warns where they do not.
MOST_ITERATIONS = 5000


@dataclasses.dataclass(frozen=True)
class Classifier:
    """What is fitted."""

    hidden: tuple[int, ...] = ()  # Widths of the layers between; none: logistic regression.
    l2: float = 1.0  # Penalty on the squared weights, against the sum of the rows' losses.
    seed: int = 0  # Of the hidden layers' first weights and of the order of the rows.


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Embeddings to learn from."""

    embeddings: Matrix  # [rows, size]
    targets: npt.NDArray[np.bool_]  # [rows, labels]


def fit_head(
    rows: Rows, classifier: Classifier, labels: Sequence[str], multi_label: bool, space: EmbeddingSpace, kind: str
) -> Head:
    """Every label must be there; where a row may have several, also be missing. The same rows give the same head."""
    scaler = StandardScaler().fit(rows.embeddings.astype(np.float64))
    inputs = scaler.transform(rows.embeddings.astype(np.float64))
    single = not multi_label
    targets = rows.targets.argmax(axis=1) if single else rows.targets.astype(np.int64)
    fit = _mlp if classifier.hidden else _logistic
    # Where rows are few, threads cost more than they give; and their number might show in the last digits.
    with threadpool_limits(1):
        layers = fit(inputs, targets, classifier)
    mean, scale = float32(scaler.mean_), float32(scaler.scale_)
    # What rounding these two loses, the first layer makes good: it shows where a value varies little about its mean.
    weight, bias = layers[0]
    layers[0] = weight * (scale / scaler.scale_), bias + (weight / scaler.scale_) @ (mean - scaler.mean_)
    # Of two labels, one of which must be right, scikit-learn has one logit too.
    return Head(
        space=space,
        kind=kind,
        labels=tuple(labels),
        output="softmax" if single and len(labels) > 2 else "sigmoid",
        layers=tuple(Layer(float32(weight), float32(bias)) for weight, bias in layers),
        mean=mean,
        scale=scale,
    )


def _logistic(inputs: Any, targets: Any, classifier: Classifier) -> list[tuple[Any, Any]]:
    def fitted(column: Any) -> Any:
        return LogisticRegression(C=1.0 / classifier.l2, max_iter=MOST_ITERATIONS).fit(inputs, column)

    if targets.ndim == 1:
        model = fitted(targets)
        return [(model.coef_, model.intercept_)]
    models = [fitted(column) for column in targets.T]
    return [(np.vstack([model.coef_ for model in models]), np.hstack([model.intercept_ for model in models]))]


def _mlp(inputs: Any, targets: Any, classifier: Classifier) -> list[tuple[Any, Any]]:
    model = MLPClassifier(
        classifier.hidden, alpha=classifier.l2, max_iter=MOST_ITERATIONS, random_state=classifier.seed
    ).fit(inputs, targets.ravel() if targets.ndim == 2 and targets.shape[1] == 1 else targets)
    return [(weight.T, bias) for weight, bias in zip(model.coefs_, model.intercepts_)]
