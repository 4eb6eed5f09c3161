"""docs/heads.md as it is written: a head of ESC-10's folds 1 to 4, served, says of fold 5 what scikit-learn says."""

import csv
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from conftest import PATIENCE, REPOSITORY
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import hearwire
from hearwire.__main__ import main
from hearwire._own_server import OwnServer

PAGE = (REPOSITORY / "docs/heads.md").read_text(encoding="utf-8")


def block(words):
    """The one block of the page, of lines that are indented by four spaces, that has these words."""
    (found,) = [text for text in re.findall(r"(?:^    .*\n|^\n)+", PAGE, re.M) if words in text]
    return "\n".join(line[4:] for line in found.split("\n"))


def command(start):
    """The one command of the page that starts so, as a list of arguments."""
    (found,) = re.findall(rf"^    ({re.escape(start)}.*)$", PAGE, re.M)
    return shlex.split(found, comments=True)


def run_example(words, server, stdin=None):
    """Runs the one example that has these words, and returns its lines. stdin: bytes."""
    (example,) = [text for text in re.findall(r"```python\n(.*?)```", PAGE, re.S) if words in text]
    example = example.replace("127.0.0.1:8001", server.address)
    ended = subprocess.run([sys.executable, "-c", example], input=stdin, capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """As the download leaves it, with the CSV files that the page has made."""
    if not (shared / "esc10").is_dir():
        pytest.skip(f"no ESC-10 recordings: {shared}/esc10 would hold them")
    here = tmp_path_factory.mktemp("ESC-10-master")
    for path in (shared / "esc10").iterdir():
        (here / path.name).symlink_to(path)
    (here / "heads").mkdir()
    subprocess.run(["bash", "-euc", block("echo path,label,fold")], cwd=here, check=True)
    return here


@pytest.fixture(scope="module")
def recordings(folder):
    with open(folder / "esc10.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 400
    assert all((folder / row["path"]).parent.name[6:] == row["label"] for row in found)
    with open(folder / "train.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [row for row in found if row["fold"] != "5"]
    return found


@pytest.fixture(scope="module")
def embeddings(own_server, folder, recordings):
    with hearwire.Client(own_server.address, deadline=300.0 * PATIENCE) as client:
        replies = client.map_scene_embeddings([folder / row["path"] for row in recordings])
        return np.concatenate([reply.embeddings for reply in replies]).astype(np.float64)


@pytest.mark.parametrize(
    ("arguments", "classifier", "accuracy"),
    [
        ([], LogisticRegression(max_iter=5000), 0.88),
        (["--hidden", "64"], MLPClassifier((64,), alpha=1.0, max_iter=5000, random_state=0), 0.85),
    ],
    ids=["logistic", "mlp"],
)
def test_what_is_served_is_what_was_trained(
    own_server, folder, recordings, embeddings, monkeypatch, capsys, arguments, classifier, accuracy
):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HEARWIRE_SERVER", own_server.address)
    python, dash_m, package, *train = command("python -m hearwire heads train")
    assert (python, dash_m, package) == ("python", "-m", "hearwire")
    assert main([*train, "--force", *arguments]) == 0
    printed = capsys.readouterr().out
    if not arguments:
        # The figures may be others by a recording or two on another processor.
        there = [re.sub(r"\d", "0", line) for line in printed.splitlines()]
        assert all(re.sub(r"\d", "0", line) in there for line in block("320 sounds").splitlines() if line.strip(" …"))

    labels = np.array([row["label"] for row in recordings])
    held_out = np.array([row["fold"] == "5" for row in recordings])
    model = make_pipeline(StandardScaler(), classifier).fit(embeddings[~held_out], labels[~held_out])
    expected = model.predict_proba(embeddings[held_out])
    predicted = list(model.predict(embeddings[held_out]))
    right = int((predicted == labels[held_out]).sum())
    assert right / 80 >= accuracy

    server = OwnServer(command("hearwire-server --heads")[1:])
    try:
        with hearwire.Client(server.address, deadline=300.0 * PATIENCE) as client:
            (head,) = client.list_heads()
            replies = client.map_classify([row["path"] for row in recordings if row["fold"] == "5"], ["esc10"])
            answers = [reply.clips[0]["esc10"].labels for reply in replies]
            ticking = np.where(np.arange(12 * 32000) % 8000 < 80, 9000, 30)
            samples = (ticking * np.random.default_rng(0).normal(size=len(ticking))).clip(-32768, 32767).astype("<i2")
            whole = client.classify([samples], ["esc10"], sample_rate=32000, top_k=1).clips[0]["esc10"].labels[0]
        asked = run_example("map_classify", server)
        streamed = run_example("client.stream", server, samples.tobytes())
    finally:
        server.stop()

    assert (head.name, head.kind, head.labels) == ("esc10", "scene", list(model.classes_))
    found = np.array([[label.score for label in sorted(answer, key=lambda label: label.index)] for answer in answers])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert [answer[0].name for answer in answers] == predicted
    assert asked[-1] == f"{right} of 80 are right"
    assert streamed[0].startswith("  0.0 s ") and streamed[1].startswith("  2.5 s ")
    assert streamed[-1] == f"  whole {whole.score:.2f} {whole.name}"
