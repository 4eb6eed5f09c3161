"""`python -m hearwire heads import`, of checkpoints as heareval leaves them. What reads these needs PyTorch itself."""

import hashlib
import json
import os

import numpy as np
import pytest
import torch
from conftest import REAL_TORCH
from heads_data import read_head

from hearwire.__main__ import main
from hearwire.heads import import_head

CONFIG = "hearwire_mn01_all_b_mel_avgs"
SIZE = 184
LABELS = ("dog", "rain", "sea")
SCORES = {"fold00": (0.25, 7), "fold01": (0.125, 9), "fold02": (0.5, 3)}

needs_torch = pytest.mark.skipif(not REAL_TORCH, reason="no PyTorch: scripts/hear-eval runs this test with it")


def predictor(hidden, norm, after, seed, size=SIZE):
    """heareval's FullyConnectedPrediction, with norms that have seen data."""
    torch.manual_seed(seed)
    modules, width = [], size
    for _ in range(hidden):
        modules.append(torch.nn.Linear(width, 32))
        between = [torch.nn.Dropout(0.1), torch.nn.ReLU()]
        modules += [*between, norm(32)] if after else [norm(32), *between]
        width = 32
    made = torch.nn.Module()
    made.hidden = torch.nn.Sequential(*modules) if hidden else torch.nn.Identity()
    made.projection = torch.nn.Linear(width, len(LABELS))
    for module in modules:
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.01, 4)
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias)
    return made.eval()


def save(path, made, score, epoch, **more):
    """As PyTorch Lightning does."""
    holder = torch.nn.Module()
    holder.predictor = made
    path.parent.mkdir(parents=True)
    content = {
        "epoch": epoch,
        "global_step": 28,
        "state_dict": holder.state_dict(),
        "callbacks": {
            "EarlyStopping{'monitor': 'val_loss', 'mode': 'min'}": {"best_score": torch.tensor(score)},
            "ModelCheckpoint{'monitor': 'val_loss', 'mode': 'min'}": {"best_model_score": torch.tensor(score)},
        },
        "hyper_parameters": {
            "hidden_norm": torch.nn.BatchNorm1d,
            "embedding_norm": torch.nn.Identity,
            "initialization": torch.nn.init.xavier_normal_,
            "optim": torch.optim.Adam,
        },
    }
    torch.save({**content, **more}, path)


@pytest.fixture
def task(tmp_path, monkeypatch):
    """The folder that heareval leaves, without checkpoints."""
    monkeypatch.chdir(tmp_path)
    return write_task(tmp_path / f"embeddings/hearwire.hear.{CONFIG}/tiny-v1-full")


def write_task(folder, kind="scene", prediction="multiclass", mode="min"):
    folder.mkdir(parents=True)
    (folder / "labelvocabulary.csv").write_text("idx,label\n1,rain\n0,dog\n2,sea\n")
    metadata = {"task_name": "tiny", "embedding_type": kind, "prediction_type": prediction, "splits": list(SCORES)}
    (folder / "task_metadata.json").write_text(json.dumps(metadata))
    results = {
        name: {"test_top1_acc": 0.75, "test_mAP": 0.875, "validation_score": score, "epoch": epoch}
        for name, (score, epoch) in SCORES.items()
    }
    results["aggregated_scores"] = {"test_top1_acc_mean": 0.75}
    results["score_mode"] = mode
    results["embedding_path"] = f"embeddings/{folder.parent.name}/{folder.name}"
    (folder / "test.predicted-scores.json").write_text(json.dumps(results))
    return folder


def leave_checkpoints(task, hidden=1, norm=None, after=False):
    """One for each split, and returns their classifiers."""
    made = {}
    for version, (name, (score, epoch)) in enumerate(SCORES.items()):
        made[name] = predictor(hidden, norm or torch.nn.BatchNorm1d, after, seed=version)
        save(log_of(task, version), made[name], score, epoch)
    return made


def log_of(task, version):
    return (
        task.parents[2]
        / f"logs/embeddings/{task.parent.name}/{task.name}/lightning_logs/version_{version}/checkpoints/a.ckpt"
    )


def run(task, *arguments):
    return main(["heads", "import", str(task), "--output", str(task.parents[2] / "tiny.safetensors"), *arguments])


def refused(capsys):
    printed = capsys.readouterr()
    assert printed.err.startswith("hearwire: ")
    return printed.err


def scores(output, x):
    """Of a head's file, computed here."""
    tensors, words = read_head(output)
    x = x.astype(np.float64)
    layers = sum(name.endswith("weight") for name in tensors)
    for i in range(layers):
        x = (np.maximum(x, 0) if i else x) @ tensors[f"{i}.weight"].T.astype(np.float64) + tensors[f"{i}.bias"]
    if words["output"] == "sigmoid":
        return 1 / (1 + np.exp(-x))
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@needs_torch
@pytest.mark.parametrize("prediction", ["multiclass", "multilabel"])
@pytest.mark.parametrize("hidden", [0, 1, 2])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("norm", ["BatchNorm1d", "Identity"])
def test_an_imported_heads_scores_are_heareval_s(own_server, tmp_path, monkeypatch, prediction, hidden, after, norm):
    monkeypatch.chdir(tmp_path)
    task = write_task(tmp_path / f"embeddings/hearwire.hear.{CONFIG}/tiny-v1-full", prediction=prediction)
    # Identity is called with a size, as heareval calls it.
    made = leave_checkpoints(task, hidden, getattr(torch.nn, norm), after)["fold01"]
    assert run(task, "--server", own_server.address) == 0
    x = np.random.default_rng(4).normal(size=(200, SIZE)).astype(np.float32)
    with torch.no_grad():
        values = made.double().projection(made.hidden(torch.from_numpy(x).double()))
        expected = torch.sigmoid(values) if prediction == "multilabel" else torch.softmax(values, dim=1)
    found = scores(tmp_path / "tiny.safetensors", x)
    assert np.abs(found - expected.numpy()).max() <= 1e-6


@needs_torch
def test_the_best_of_the_validation_is_taken_and_told(own_server, client, task, tmp_path, capsys):
    made = leave_checkpoints(task)
    assert run(task, "--server", own_server.address) == 0
    assert "version_1" in capsys.readouterr().out
    tensors, words = read_head(tmp_path / "tiny.safetensors")
    np.testing.assert_array_equal(tensors["1.bias"], made["fold01"].projection.bias.detach().numpy())
    space = client.get_scene_embeddings([np.zeros(32000, np.float32)], sample_rate=32000).space
    assert words == {
        "format": "hearwire.head.v1",
        "config": CONFIG,
        "weights_sha256": space.weights_sha256,
        "frontend": space.frontend,
        "precision": space.precision,
        "kind": "scene",
        "activation": "relu",
        "output": "softmax",
        "labels": json.dumps(LABELS),
        "task": "tiny",
        "score": "fold01: test_top1_acc 0.7500, test_mAP 0.8750",
        "trained_on": f"tiny-v1-full without fold01, embedded by hearwire.hear.{CONFIG}",
    }


@needs_torch
def test_larger_scores_may_be_better_and_a_split_may_be_named(own_server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = write_task(tmp_path / f"embeddings/hearwire.hear.{CONFIG}/tiny-v1-full", kind="event", mode="max")
    made = leave_checkpoints(task)
    for arguments, split in (((), "fold02"), (("--split", "fold00", "--force"), "fold00")):
        assert run(task, "--server", own_server.address, *arguments) == 0
        tensors, words = read_head(tmp_path / "tiny.safetensors")
        np.testing.assert_array_equal(tensors["1.bias"], made[split].projection.bias.detach().numpy())
        assert words["kind"] == "timestamps"


@needs_torch
def test_embeddings_of_another_program_need_its_checkpoint(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    task = write_task(tmp_path / "embeddings/hear_mn.mn10_all_b_mel_avgs-b=1/tiny-v1-full")
    leave_checkpoints(task)
    assert run(task) == 1
    assert "by hear_mn.mn10_all_b_mel_avgs-b=1, not by Hearwire: --weights" in refused(capsys)
    (tmp_path / "mn10.pt").write_bytes(b"weights")
    assert run(task, "--weights", "mn10.pt") == 0
    words = read_head(tmp_path / "tiny.safetensors")[1]
    assert words["config"] == "mn10_all_b_mel_avgs"
    assert words["weights_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert not {"frontend", "precision"} & set(words)


@needs_torch
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("hearwire_mn01_all_b_mel_avg", f"knows no config hearwire_mn01_all_b_mel_avg ({CONFIG} or "),
        ("mn10_all_b_mel_avgs", "hearwire checkpoints fetch mn10_as"),
    ],
)
def test_a_config_that_the_server_cannot_answer_is_refused(own_server, task, capsys, config, words):
    leave_checkpoints(task)
    assert run(task, "--server", own_server.address, "--config", config) == 1
    assert words in refused(capsys)


@needs_torch
def test_embeddings_of_another_size_are_refused(own_server, task, capsys):
    save(log_of(task, 1), predictor(1, torch.nn.BatchNorm1d, False, 0, size=200), *SCORES["fold01"])
    assert run(task, "--server", own_server.address) == 1
    assert f"the head reads 200 values, an embedding of {CONFIG} has 184" in refused(capsys)


class Attack:
    """Leaves a file behind where it is executed."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


@needs_torch
def test_nothing_in_a_checkpoint_is_executed(own_server, task, tmp_path, capsys):
    save(log_of(task, 0), predictor(1, torch.nn.BatchNorm1d, False, 0), 0.125, 9, attack=Attack())
    assert run(task, "--server", own_server.address) == 1
    message = refused(capsys)
    assert ".mkdir, which has no place in one; nothing of it was executed" in message
    assert "weights_only" not in message
    assert not (tmp_path / "executed").exists()


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_text(path):
    path.write_text("hello")


def write_list(path):
    torch.save([1, 2], path)


@needs_torch
@pytest.mark.parametrize("damage", [halve, write_text, write_list])
def test_damaged_checkpoints_are_named(own_server, task, capsys, damage):
    leave_checkpoints(task)
    damage(log_of(task, 1))
    os.utime(log_of(task, 1))  # The newest is read first.
    assert run(task, "--server", own_server.address) == 1
    assert f"logs/embeddings/hearwire.hear.{CONFIG}/tiny-v1-full/lightning_logs/version_1" in refused(capsys)


@needs_torch
def test_checkpoints_of_another_run_are_not_taken(own_server, task, capsys):
    save(log_of(task, 0), predictor(1, torch.nn.BatchNorm1d, False, 0), 0.125, 8)
    save(log_of(task, 1), predictor(1, torch.nn.BatchNorm1d, False, 0), 0.126, 9)
    assert run(task, "--server", own_server.address) == 1
    assert "none of its 2 checkpoints is of epoch 9 with the validation score 0.125 of fold01" in refused(capsys)


@needs_torch
def test_of_two_runs_alike_the_later_is_taken(own_server, task, tmp_path):
    made = [predictor(1, torch.nn.BatchNorm1d, False, seed) for seed in range(3)]
    for version, age in enumerate((20, 0, 10)):
        save(log_of(task, version), made[version], *SCORES["fold01"])
        os.utime(log_of(task, version), (1e9 - age, 1e9 - age))
    assert run(task, "--server", own_server.address) == 0
    tensors, _ = read_head(tmp_path / "tiny.safetensors")
    np.testing.assert_array_equal(tensors["1.bias"], made[1].projection.bias.detach().numpy())


@needs_torch
def test_layer_norms_are_refused(own_server, task, capsys):
    leave_checkpoints(task, norm=torch.nn.LayerNorm)
    assert run(task, "--server", own_server.address) == 1
    message = refused(capsys)
    assert "LayerNorm" in message and "version_1" in message


@pytest.mark.skipif(REAL_TORCH, reason="PyTorch is installed")
def test_without_pytorch_it_says_what_brings_it(own_server, task, capsys):
    log_of(task, 0).parent.mkdir(parents=True)
    log_of(task, 0).touch()
    assert run(task, "--server", own_server.address) == 1
    assert "pip install 'torch>=2.5'" in refused(capsys)


def test_what_heareval_has_not_left_is_said(task, tmp_path, capsys):
    assert run(task) == 1
    assert "holds no checkpoints: heareval.predictions.runner leaves them in the folder logs" in refused(capsys)
    assert run(task, "--split", "fold07") == 1
    assert "has no split fold07: fold00, fold01, fold02 would be right" in refused(capsys)
    (task / "labelvocabulary.csv").write_text("idx,label\n0,dog\n2,sea\n")
    assert run(task) == 1
    assert "labelvocabulary.csv: the indices are not 0 to 1" in refused(capsys)
    (task / "task_metadata.json").write_text("{}")
    assert run(task) == 1
    assert "holds no task as heareval leaves it: KeyError('task_name')" in refused(capsys)
    (task / "test.predicted-scores.json").unlink()
    assert run(task) == 1
    assert "test.predicted-scores.json: heareval.predictions.runner writes it" in refused(capsys)
    (task / "task_metadata.json").write_text("[")
    assert run(task) == 1
    assert "task_metadata.json is no JSON" in refused(capsys)


def test_an_output_that_exists_is_kept(task, tmp_path, capsys):
    (tmp_path / "tiny.safetensors").touch()
    assert run(task) == 1
    assert "--force" in refused(capsys)


def test_a_config_is_the_modules_last_word():
    assert import_head._config_of("hear_mn.mn04_all_b_mel_avgs") == "mn04_all_b_mel_avgs"
    assert import_head._config_of("hearwire.hear.mn04_all_b_mel_avgs-a=1-b=x.5") == "mn04_all_b_mel_avgs"
