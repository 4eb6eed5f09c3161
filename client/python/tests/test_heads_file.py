"""A head's parts, its scores, and its file, which the package safetensors reads too."""

import json

import numpy as np
import pytest
import safetensors
from heads_data import SPACE, head, layers, read_head

from hearwire import EmbeddingSpace
from hearwire.heads.errors import HeadError
from hearwire.heads.head import Layer, float32
from hearwire.heads.head_file import check_output, encode_head, write_head


def read(path):
    with safetensors.safe_open(path, "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def test_safetensors_reads_what_was_written(tmp_path):
    written = head(labels=("Hund", "Regen", "Möwe"), layers=layers(5, 4, 3), notes={"task": "sounds"})
    write_head(written, tmp_path / "a.safetensors")
    tensors, words = read(tmp_path / "a.safetensors")
    assert set(tensors) == {"mean", "scale", "0.weight", "0.bias", "1.weight", "1.bias"}
    for name, values in written.tensors().items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], values)
    assert json.loads(words.pop("labels")) == ["Hund", "Regen", "Möwe"]
    assert words == {
        "format": "hearwire.head.v1",
        "config": SPACE.config,
        "weights_sha256": SPACE.weights_sha256,
        "frontend": "1",
        "precision": "float32",
        "kind": "scene",
        "activation": "relu",
        "output": "softmax",
        "task": "sounds",
    }


def test_the_tests_read_it_alike(tmp_path):
    write_head(head(), tmp_path / "a.safetensors")
    (tensors, words), (others, their_words) = read(tmp_path / "a.safetensors"), read_head(tmp_path / "a.safetensors")
    assert words == their_words
    assert {name: values.tolist() for name, values in tensors.items()} == {
        name: values.tolist() for name, values in others.items()
    }


def test_what_is_not_known_of_the_space_is_left_out(tmp_path):
    space = EmbeddingSpace(SPACE.config, SPACE.weights_sha256, "", "")
    write_head(head(space=space, mean=None, scale=None), tmp_path / "a.safetensors")
    tensors, words = read(tmp_path / "a.safetensors")
    assert set(tensors) == {"0.weight", "0.bias"}
    assert not {"frontend", "precision"} & set(words)


def test_the_tensors_lie_aligned():
    for labels in (("a", "b", "c"), ("a", "b", "cc"), ("a", "b", "ccccc")):
        assert int.from_bytes(encode_head(head(labels=labels))[:8], "little") % 8 == 0


def test_a_header_larger_than_servers_read_is_refused():
    with pytest.raises(HeadError, match="1048576"):
        encode_head(head(notes={"task": "x" * (1 << 20)}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "clip"}, "kind clip: scene or timestamps"),
        ({"output": "tanh"}, "output tanh"),
        ({"layers": ()}, "without layers"),
        ({"layers": layers(5, 2)}, "2 outputs for 3 labels"),
        ({"layers": layers(5, 1)}, "1 outputs for 3 labels"),
        ({"layers": layers(5, 1), "labels": ("a", "b")}, "1 outputs for 2 labels"),
        ({"layers": (*layers(5, 4), *layers(6, 3))}, "layer 1"),
        ({"layers": (Layer(float32(np.ones((3, 5))), float32(np.ones(2))),)}, "bias"),
        ({"layers": (Layer(float32(np.full((3, 5), np.nan)), float32(np.ones(3))),)}, "0.weight"),
        ({"layers": (Layer(float32(np.ones((3, 5))), float32([1, np.inf, 1])),)}, "0.bias"),
        ({"mean": float32([1, 2])}, "mean"),
        ({"mean": float32([1, 2, 3, 4, np.nan])}, "mean"),
        ({"scale": float32([1, 2, 0, 4, 5])}, "scale"),
        ({"labels": ("dog",), "layers": layers(5, 1)}, "softmax of one label"),
        ({"labels": ("dog", "rain", "dog")}, "dog stands there twice"),
        ({"labels": ("dog", "rain", "")}, "''"),
        ({"labels": ("dog", "rain", "s\udce9a")}, "cannot be printed"),
        ({"labels": ("dog", "rain", "se\na")}, "cannot be printed"),
        ({"labels": ("dog", "rain", "\x1b[31msea")}, "cannot be printed"),
        ({"labels": ("dog", "rain", "sea\u202e")}, "cannot be printed"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(HeadError, match=words):
        head(**changes)


def test_scores_are_of_the_standardised_embedding():
    made = head(layers=layers(5, 4, 3))
    x = np.random.default_rng(1).normal(size=(6, 5))
    first, second = made.layers
    hidden = np.maximum((x - made.mean) / made.scale @ first.weight.T + first.bias, 0)
    powers = np.exp(hidden @ second.weight.T + second.bias)
    np.testing.assert_allclose(made.scores(x), powers / powers.sum(axis=1, keepdims=True), rtol=1e-6)


def test_one_sigmoid_of_two_labels_is_the_seconds():
    made = head(labels=("no", "yes"), output="sigmoid", layers=layers(5, 1), mean=None, scale=None)
    x = np.random.default_rng(1).normal(size=(6, 5))
    (layer,) = made.layers
    yes = 1 / (1 + np.exp(-(x @ layer.weight.T + layer.bias)))
    np.testing.assert_allclose(made.scores(x), np.hstack([1 - yes, yes]), rtol=1e-6)


def test_large_logits_do_not_overflow():
    x = 1e5 * np.random.default_rng(1).normal(size=(6, 5))
    for output in ("softmax", "sigmoid"):
        with np.errstate(over="raise", invalid="raise"):
            scores = head(output=output).scores(x)
        assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("name", ["a.pt", ".safetensors", "a b.safetensors", "ä.safetensors", ".a.safetensors", "a"])
def test_a_name_that_servers_do_not_take_is_refused(tmp_path, name):
    with pytest.raises(HeadError, match="letters, digits, dashes"):
        check_output(tmp_path / name, force=True)


def test_an_output_is_replaced_only_when_told_to(tmp_path):
    path = tmp_path / "a-1.b_2.safetensors"
    check_output(path, force=False)
    path.write_text("mine")
    with pytest.raises(HeadError, match="--force"):
        check_output(path, force=False)
    check_output(path, force=True)
    write_head(head(), path)
    assert read(path)[1]["kind"] == "scene"
    with pytest.raises(HeadError, match="no folder"):
        check_output(tmp_path / "none" / "a.safetensors", force=False)


def test_a_write_that_fails_leaves_nothing(tmp_path):
    (tmp_path / "a.safetensors").mkdir()
    with pytest.raises(OSError):
        write_head(head(), tmp_path / "a.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_others_may_read_it(tmp_path):
    write_head(head(), tmp_path / "a.safetensors")
    (tmp_path / "plain").touch()
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode
