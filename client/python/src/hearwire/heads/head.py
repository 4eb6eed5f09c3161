"""A head: what its file holds, and what a server computes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from hearwire.heads.errors import HeadError
from hearwire.replies import EmbeddingSpace

Matrix = npt.NDArray[np.float32]
KINDS = ("scene", "timestamps")
OUTPUTS = ("softmax", "sigmoid")


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    weight: Matrix  # [outputs, inputs]
    bias: Matrix  # [outputs]


@dataclasses.dataclass(frozen=True, eq=False)
class Head:
    """Raises HeadError for parts that do not fit together."""

    space: EmbeddingSpace  # That it was trained in. A frontend or precision of "" is not known, and not compared.
    kind: str  # "scene" or "timestamps": of which embeddings.
    labels: tuple[str, ...]
    output: str  # "softmax" or "sigmoid"; the one sigmoid of two labels is the second's score.
    layers: tuple[Layer, ...]  # With ReLU between them.
    mean: Optional[Matrix] = None  # [inputs]; the first layer reads (embedding - mean) / scale.
    scale: Optional[Matrix] = None  # [inputs]
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)  # For readers: task, score, trained_on.

    def __post_init__(self) -> None:
        _check_words(self)
        inputs = self.inputs
        for name, values in (("mean", self.mean), ("scale", self.scale)):
            if values is not None and values.shape != (inputs,):
                raise HeadError(f"{name} has the shape {values.shape}, the first layer reads {inputs} values")
        if self.scale is not None and not (self.scale > 0).all():
            raise HeadError("scale holds what is not above 0: nothing can be divided by it")
        for i, layer in enumerate(self.layers):
            if layer.weight.ndim != 2 or layer.weight.shape[1] != inputs:
                raise HeadError(f"layer {i} has weights of the shape {layer.weight.shape}, and reads {inputs} values")
            inputs = layer.weight.shape[0]
            if layer.bias.shape != (inputs,):
                raise HeadError(f"layer {i} has a bias of the shape {layer.bias.shape} for {inputs} outputs")
        of_two = self.output == "sigmoid" and inputs == 1 and len(self.labels) == 2
        if inputs != len(self.labels) and not of_two:
            raise HeadError(f"the last layer has {inputs} outputs for {len(self.labels)} labels")
        for name, values in self.tensors().items():
            if not np.isfinite(values).all():
                raise HeadError(f"{name} holds what is no finite number")

    @property
    def inputs(self) -> int:
        """Values of an embedding that it reads."""
        return int(self.layers[0].weight.shape[-1])

    def tensors(self) -> dict[str, Matrix]:
        """By their names in a head's file."""
        named = {"mean": self.mean, "scale": self.scale}
        for i, layer in enumerate(self.layers):
            named[f"{i}.weight"], named[f"{i}.bias"] = layer.weight, layer.bias
        return {name: values for name, values in named.items() if values is not None}

    def scores(self, embeddings: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """embeddings: [rows, inputs]. Returns [rows, labels], computed in double precision."""
        values = np.asarray(embeddings, np.float64)
        if self.mean is not None:
            values = values - self.mean
        if self.scale is not None:
            values = values / self.scale
        for i, layer in enumerate(self.layers):
            if i > 0:
                values = np.maximum(values, 0.0)
            values = values @ layer.weight.T.astype(np.float64) + layer.bias
        if self.output == "softmax":
            powers = np.exp(values - values.max(axis=1, keepdims=True))
            shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
            return shares
        # Of -|x|, so that nothing overflows.
        small = np.exp(-np.abs(values))
        sigmoids = np.where(values < 0, small, 1.0) / (1.0 + small)
        return np.hstack([1.0 - sigmoids, sigmoids]) if values.shape[1] < len(self.labels) else sigmoids


def float32(values: Union[npt.NDArray[Any], Iterable[float]]) -> Matrix:
    return np.ascontiguousarray(values, dtype=np.float32)


def _check_words(head: Head) -> None:
    for name, word, known in (("kind", head.kind, KINDS), ("output", head.output, OUTPUTS)):
        if word not in known:
            raise HeadError(f"{name} {word}: {' or '.join(known)} would be right")
    if not head.layers:
        raise HeadError("a head without layers computes nothing")
    if len(head.labels) < 2 and head.output == "softmax":
        raise HeadError("a softmax of one label is always 1: two labels or more would be right")
    for label in head.labels:
        if not label or not label.isprintable():  # Undecodable bytes of a file's name are not printable either.
            raise HeadError(f"the label {label!r} is empty or holds what cannot be printed")
    twice = sorted({label for label in head.labels if head.labels.count(label) > 1})
    if twice:
        raise HeadError(f"the label {twice[0]} stands there twice")
