"""Layers from the parameters of heareval's classifier (FullyConnectedPrediction), its norms folded into them.

A hidden layer is four modules there: Linear, norm, Dropout, ReLU or, with the norm after the activation, Linear,
Dropout, ReLU, norm. Dropout does nothing once the classifier is trained. BatchNorm1d then multiplies each value by one
number and adds another, which the Linear before it, or the one after it, does as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hearwire.heads.errors import HeadError
from hearwire.heads.head import Layer, float32

Parameters = Mapping[str, npt.NDArray[Any]]
Modules = dict[str, dict[str, npt.NDArray[np.float64]]]  # The parameters of each.
Affine = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]  # A factor and a shift.

_MODULES = 4  # Of a hidden layer.
_EPSILON = 1e-5  # Added to the variance: BatchNorm1d's default, which heareval leaves as it is.
_NAME = re.compile(r"predictor\.(projection|hidden\.\d+)\.(\w+)")
_NOTHING: Affine = (np.ones(1), np.zeros(1))
# heareval makes this module, and neither trains nor uses it.
_UNUSED = "layernorm."


def fold_norms(parameters: Parameters) -> tuple[Layer, ...]:
    """parameters: all that a checkpoint holds, by their names. Raises HeadError for what is no such classifier."""
    try:
        return _fold(_modules_of(parameters))
    except ValueError as error:  # NumPy's, of arrays whose shapes do not go together.
        raise HeadError(f"its layers and norms are of different sizes: {error}") from None


def _fold(modules: Modules) -> tuple[Layer, ...]:
    layers = []
    inputs = _NOTHING  # What a norm makes of the next layer's inputs.
    at = 0
    while f"hidden.{at}" in modules:
        outputs, after = _norm(modules, f"hidden.{at + 1}"), _norm(modules, f"hidden.{at + _MODULES - 1}")
        layers.append(_layer(modules, f"hidden.{at}", inputs, outputs))
        inputs = after
        at += _MODULES
    layers.append(_layer(modules, "projection", inputs, _NOTHING))
    if modules:
        raise HeadError(f"its classifier has a module that heareval's has not: {min(modules)}")
    return tuple(layers)


def _modules_of(parameters: Parameters) -> Modules:
    modules: Modules = {}
    for name, values in parameters.items():
        found = _NAME.fullmatch(name)
        if found:
            modules.setdefault(found.group(1), {})[found.group(2)] = values.astype(np.float64)
        elif not name.startswith(_UNUSED):
            raise HeadError(f"it holds {name}, which heareval's classifiers do not")
    return modules


def _layer(modules: Modules, name: str, inputs: Affine, outputs: Affine) -> Layer:
    module = modules.pop(name, {})
    if set(module) != {"weight", "bias"} or module["weight"].ndim != 2:
        raise HeadError(f"its {name} is no linear layer")
    weight, bias = module["weight"], module["bias"]
    bias = bias + weight @ np.broadcast_to(inputs[1], weight.shape[1])
    weight = weight * inputs[0]
    return Layer(float32(weight * outputs[0].reshape(-1, 1)), float32(bias * outputs[0] + outputs[1]))


def _norm(modules: Modules, name: str) -> Affine:
    """What BatchNorm1d does with the mean and variance of its training; without such a module, nothing."""
    module = modules.pop(name, None)
    if module is None:
        return _NOTHING
    if not {"weight", "bias", "running_mean", "running_var"} <= set(module):
        raise HeadError(
            f"its {name} is a norm that depends on each embedding (LayerNorm), which a head cannot do: "
            'train with "hidden_norm" torch.nn.BatchNorm1d or torch.nn.Identity'
        )
    factor = module["weight"] / np.sqrt(module["running_var"] + _EPSILON)
    return factor, module["bias"] - factor * module["running_mean"]
