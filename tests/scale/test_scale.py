"""A short run of scripts/scale-test: one and two servers, and what becomes of calls when one of three is killed or drained."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bench")]

from cpu_group import cpu_group  # noqa: E402
from namespaces import Lan  # noqa: E402


def can_run() -> bool:
    if os.geteuid() != 0 or os.environ.get("HEARWIRE_SANITIZE"):
        return False
    try:
        with Lan(1), cpu_group(0.5):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@pytest.mark.skipif(not can_run(), reason="it takes root, network namespaces and CPU cgroups")
def test_no_call_fails_that_another_attempt_mends():
    ended = subprocess.run([sys.executable, str(HERE / "run.py"), "--short", "--seconds", "3", "--ways", "round robin"],
                           capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith("could have been mended: 0\n"), ended.stdout
    rates = [float(rate) for rate in re.findall(r"^\| round robin \| \d \| ([\d.]+) ", ended.stdout, re.MULTILINE)]
    assert len(rates) == 2 and min(rates) > 0, ended.stdout
    assert len(re.findall(r"^\| round robin \| (?:killed|drained)", ended.stdout, re.MULTILINE)) == 2, ended.stdout


def test_an_unknown_way_is_refused_by_name():
    ended = subprocess.run([sys.executable, str(HERE / "run.py"), "--ways", "nginx"], capture_output=True, text=True)
    assert ended.returncode == 2 and "nginx is none of HAProxy, round robin" in ended.stderr
