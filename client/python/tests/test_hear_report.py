"""tests/hear/report.py, which judges a run of HEAR's tools, and what scripts/hear-eval asks for before one."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import REPOSITORY

CONFIG = "mn04_all_b_mel_avgs"
REPORT = REPOSITORY / "tests/hear/report.py"
SCENES = "esc10-v1.0.0-full"
SCORES = runpy.run_path(str(REPORT))["REFERENCE"][CONFIG]
EMBEDDINGS = np.linspace(-2, 2, 320, dtype="<f4")


@pytest.fixture
def run(tmp_path):
    """What a good run leaves, and the reference beside it."""
    for task, scores in SCORES.items():
        folder = tmp_path / "run" / task
        folder.mkdir(parents=True)
        test = {f"test_{name}": value for name, value in scores.items()}
        (folder / "test.predicted-scores.json").write_text(json.dumps({"test": test}))
    (tmp_path / "golden").mkdir()
    EMBEDDINGS.tofile(tmp_path / "run" / SCENES / "fold00.embeddings.npy")
    EMBEDDINGS.tofile(tmp_path / "golden/esc10_fold00.embeddings.npy")
    return tmp_path


def report(folder, config=CONFIG):
    command = [sys.executable, str(REPORT), f"{folder}/run", config, f"{folder}/golden"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert not ended.stderr
    return ended.returncode, ended.stdout


def test_a_good_run_passes(run):
    code, words = report(run)
    assert code == 0 and "FAIL" not in words


@pytest.mark.parametrize("missing", ["golden/esc10_fold00.embeddings.npy", f"run/{SCENES}/fold00.embeddings.npy"])
def test_missing_embeddings_fail_where_there_is_a_reference(run, missing):
    (run / missing).unlink()
    code, words = report(run)
    assert code == 1
    assert f"there is no {run / missing}: FAIL" in words


def test_other_embeddings_fail(run):
    (EMBEDDINGS + np.float32(1e-3)).tofile(run / "run" / SCENES / "fold00.embeddings.npy")
    assert report(run)[0] == 1


def test_a_config_without_a_reference_needs_none(run):
    (run / "golden/esc10_fold00.embeddings.npy").unlink()
    assert report(run, "mn10_all_b_mel_avgs")[0] == 0


@pytest.fixture
def evaluation(tmp_path):
    """Runs a copy of scripts/hear-eval on tools that only note what they are asked to do."""
    root = tmp_path / "repository"
    for name in ("scripts/hear-eval", "scripts/steps.sh", "client/python/src/hearwire/hear/configs.csv"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, root / name)
    shutil.copytree(REPOSITORY / "tests/hear", root / "tests/hear")
    tools = root / ".cache/hear-eval/venv/bin"
    tools.mkdir(parents=True)
    for name in ("python", "pip", "hear-validator"):
        (tools / name).write_text(
            '#!/bin/sh\necho "$@ repository=$HEARWIRE_MODEL_REPOSITORY program=$HEARWIRE_SERVER_PROGRAM" >> '
            f"{tmp_path}/asked\n"
        )
        (tools / name).chmod(0o755)
    made_of = ("requirements.txt", "tools.txt", "prepare_tools.py")
    (tools.parent / ".made-of").write_bytes(b"".join((root / "tests/hear" / name).read_bytes() for name in made_of))
    (tmp_path / "shared/esc10/001 - Dog").mkdir(parents=True)
    (tmp_path / "shared/esc10/001 - Dog/1-1-A.ogg").write_bytes(b"one")
    (tmp_path / "shared/golden/hear").mkdir(parents=True)
    (tmp_path / "shared/golden/hear/esc10_fold00.embeddings.npy").write_bytes(b"")
    (tmp_path / "shared/golden/checkpoints").mkdir()
    (tmp_path / "server").write_text("#!/bin/sh\n")
    (tmp_path / "server").chmod(0o755)

    def evaluate(*arguments, **variables):
        """The exit code, the words, and what the tools were asked for."""
        (tmp_path / "asked").write_text("")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HEARWIRE_")}
        environment.update({"HEARWIRE_SHARED": "shared", "HEARWIRE_SERVER_PROGRAM": "./server", **variables})
        command = [str(root / "scripts/hear-eval"), *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60)
        return ended.returncode, ended.stderr, (tmp_path / "asked").read_text()

    return evaluate


@pytest.mark.parametrize(
    "wrong, words",
    [
        ("mn99", 'no config is called "mn99"'),
        ("mn04_all_b_mel_avg", "no config is called"),
        ("golden/hear/esc10_fold00.embeddings.npy", "golden/hear/esc10_fold00.embeddings.npy, which the embeddings"),
        ("golden/checkpoints", "shared/golden/checkpoints: HEARWIRE_MODEL_REPOSITORY"),
        ("esc10", "there is no .*/shared/esc10: HEARWIRE_SHARED"),
        ({"HEARWIRE_MODEL_REPOSITORY": "none"}, "there is no folder .*/none: HEARWIRE_MODEL_REPOSITORY"),
        ({"HEARWIRE_SERVER_PROGRAM": "./none"}, "HEARWIRE_SERVER_PROGRAM=./none is no program"),
        ({"HEARWIRE_SERVER_PROGRAM": "shared"}, "HEARWIRE_SERVER_PROGRAM=shared is no program"),
    ],
)
def test_hear_eval_looks_first_for_all_it_needs(evaluation, tmp_path, wrong, words):
    config, variables = CONFIG, {}
    if isinstance(wrong, dict):
        variables = wrong
    elif (tmp_path / "shared" / wrong).exists():
        (tmp_path / "shared" / wrong).rename(tmp_path / "elsewhere")
    else:
        config = wrong
    code, said, asked = evaluation(config, **variables)
    assert code == 1
    assert re.search(words, said)
    assert not asked


def test_hear_eval_takes_relative_paths(evaluation, tmp_path):
    (tmp_path / "weights").mkdir()
    code, said, asked = evaluation(CONFIG, HEARWIRE_MODEL_REPOSITORY="weights")
    assert code == 0, said
    assert f"hear-validator hearwire.hear.{CONFIG}" in said
    for line in asked.splitlines():
        assert line.endswith(f"repository={tmp_path}/weights program={tmp_path}/server")


def test_hear_eval_needs_no_reference_for_other_configs(evaluation, tmp_path):
    (tmp_path / "shared/golden/hear/esc10_fold00.embeddings.npy").unlink()
    assert evaluation("mn10_all_b_mel_avgs")[0] == 0


def test_hear_eval_makes_its_tasks_anew_when_what_they_are_made_of_has_changed(evaluation, tmp_path):
    def makes_tasks():
        code, said, asked = evaluation()
        assert code == 0, said
        return "make_esc10_task.py" in asked

    assert makes_tasks() and not makes_tasks()
    (tmp_path / "shared/esc10/001 - Dog/1-1-A.ogg").write_bytes(b"two")
    assert makes_tasks() and not makes_tasks()
    (tmp_path / "shared/esc10/001 - Dog/1-2-A.ogg").write_bytes(b"two")
    assert makes_tasks() and not makes_tasks()
    with open(tmp_path / "repository/tests/hear/make_esc10_task.py", "a") as maker:
        maker.write("# Otherwise.\n")
    assert makes_tasks() and not makes_tasks()
