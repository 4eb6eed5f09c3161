"""Fixtures of the end-to-end tests."""

import pytest

from certificates import Certificates
from hearwire_server import Server, shared_folder


@pytest.fixture(scope="session")
def shared():
    folder = shared_folder()
    if folder is None:
        pytest.skip("no golden data: set HEARWIRE_SHARED to the folder that holds golden/configs.csv")
    return folder


@pytest.fixture(scope="module")
def server():
    """A server on the embedded network."""
    with Server() as running:
        yield running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))
