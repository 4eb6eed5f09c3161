"""tests/hear/report.py, which judges a run of HEAR's tools, and what scripts/hear-eval asks for before one."""

import json
import os
import runpy
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


def test_hear_eval_asks_for_the_reference_first(tmp_path):
    (tmp_path / "esc10").mkdir()
    # Should it go on, it ends where it would make its folder.
    (tmp_path / "mkdir").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "mkdir").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HEARWIRE_SHARED": str(tmp_path),
        "HEARWIRE_SERVER_PROGRAM": "/no/such/program",
    }

    def code_and_words(config):
        command = [str(REPOSITORY / "scripts/hear-eval"), config]
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
        return ended.returncode, ended.stderr

    code, words = code_and_words(CONFIG)
    assert code == 1
    assert f"there is no {tmp_path}/golden/hear/esc10_fold00.embeddings.npy" in words
    assert code_and_words("mn10_all_b_mel_avgs")[0] == 3
    (tmp_path / "golden/hear").mkdir(parents=True)
    EMBEDDINGS.tofile(tmp_path / "golden/hear/esc10_fold00.embeddings.npy")
    assert code_and_words(CONFIG)[0] == 3
