"""Fixtures of the attacks: what tests/e2e has, and HAProxy."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"), str(HERE.parent / "bench")]

from certificates import Certificates  # noqa: E402
from front import PROGRAM  # noqa: E402


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session", autouse=True)
def haproxy():
    if PROGRAM is None:
        assert os.environ.get("HEARWIRE_REQUIRE_SHARED") != "1", "HAProxy is required: scripts/setup --tests installs it"
        pytest.skip("no haproxy: scripts/setup --tests installs it")
