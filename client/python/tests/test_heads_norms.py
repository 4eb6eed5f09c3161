"""heareval's classifiers with their norms are heads without: the same scores, computed here in NumPy step by step."""

import numpy as np
import pytest

from hearwire.heads.errors import HeadError
from hearwire.heads.fold_norms import fold_norms

INPUTS, WIDTH, LABELS = 7, 6, 3


def parameters(hidden, norm, seed=0):
    """As a checkpoint of heareval holds them. norm: "before" or "after" the activation, or None."""
    random = np.random.default_rng(seed)
    made = {}

    def linear(name, outputs, inputs):
        made[f"{name}.weight"] = random.normal(size=(outputs, inputs)).astype(np.float32)
        made[f"{name}.bias"] = random.normal(size=outputs).astype(np.float32)

    for i in range(hidden):
        linear(f"predictor.hidden.{4 * i}", WIDTH, WIDTH if i else INPUTS)
        if norm:
            name = f"predictor.hidden.{4 * i + (1 if norm == 'before' else 3)}"
            made[f"{name}.weight"] = random.normal(size=WIDTH).astype(np.float32)  # Some are below 0.
            made[f"{name}.bias"] = random.normal(size=WIDTH).astype(np.float32)
            made[f"{name}.running_mean"] = random.normal(size=WIDTH).astype(np.float32)
            made[f"{name}.running_var"] = np.float32(10.0) ** random.uniform(-6, 2, size=WIDTH).astype(np.float32)
            made[f"{name}.num_batches_tracked"] = np.array(7)
    linear("predictor.projection", LABELS, WIDTH if hidden else INPUTS)
    return made


def logits(made, hidden, norm, x):
    """What heareval computes: Linear, BatchNorm1d, ReLU, or Linear, ReLU, BatchNorm1d, in double precision."""
    made = {name: values.astype(np.float64) for name, values in made.items()}

    def linear(name, x):
        return x @ made[f"{name}.weight"].T + made[f"{name}.bias"]

    def batch_norm(name, x):
        x = (x - made[f"{name}.running_mean"]) / np.sqrt(made[f"{name}.running_var"] + 1e-5)
        return x * made[f"{name}.weight"] + made[f"{name}.bias"]

    for i in range(hidden):
        x = linear(f"predictor.hidden.{4 * i}", x)
        if norm == "before":
            x = batch_norm(f"predictor.hidden.{4 * i + 1}", x)
        x = np.maximum(x, 0)
        if norm == "after":
            x = batch_norm(f"predictor.hidden.{4 * i + 3}", x)
    return linear("predictor.projection", x)


@pytest.mark.parametrize("norm", ["before", "after", None])
@pytest.mark.parametrize("hidden", [0, 1, 2, 3])
def test_folded_norms_give_the_same_scores(hidden, norm):
    made = parameters(hidden, norm)
    layers = fold_norms(made)
    assert len(layers) == hidden + 1
    x = np.random.default_rng(1).normal(size=(50, INPUTS))
    expected = logits(made, hidden, norm, x)
    for i, layer in enumerate(layers):
        x = (np.maximum(x, 0) if i else x) @ layer.weight.T.astype(np.float64) + layer.bias
    np.testing.assert_allclose(x, expected, atol=3e-7 * np.abs(expected).max())


def test_the_norm_that_heareval_does_not_use_is_left_out():
    made = parameters(1, "before")
    extra = {f"layernorm.{name}": np.ones(INPUTS) for name in ("weight", "bias", "running_mean", "running_var")}
    for layer, same in zip(fold_norms(made), fold_norms({**made, **extra})):
        np.testing.assert_array_equal(layer.weight, same.weight)


def without(made, *names):
    return {name: values for name, values in made.items() if name not in names}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({}, "projection is no linear layer"),
        (without(parameters(1, None), "predictor.projection.bias"), "projection is no linear layer"),
        (without(parameters(1, None), "predictor.hidden.0.bias"), "hidden.0 is no linear layer"),
        (
            without(parameters(1, "before"), "predictor.hidden.1.running_mean", "predictor.hidden.1.running_var"),
            "hidden.1 is a norm .*LayerNorm.*BatchNorm1d",
        ),
        ({**parameters(1, None), "predictor.hidden.2.weight": np.ones(3)}, "hidden.2"),
        ({**parameters(1, None), "encoder.weight": np.ones(3)}, "encoder.weight"),
        ({**parameters(1, "before"), "predictor.hidden.1.running_var": np.ones(5)}, "different sizes"),
    ],
)
def test_other_classifiers_are_refused(made, words):
    with pytest.raises(HeadError, match=words):
        fold_norms(made)
