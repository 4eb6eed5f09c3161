"""The package as it is installed, against real servers (the program of HEARWIRE_BIN) and scripted ones."""

import importlib.util
import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
REPOSITORY = TESTS.parents[2]
# Programs under a sanitizer start and run several times slower.
PATIENCE = 10 if os.environ.get("HEARWIRE_SANITIZE") else 1

# Bulk work has an environment of its own (scripts/bulk-requirements.txt), where its tests run, and they only.
_BULK = importlib.util.find_spec("ray") is not None
collect_ignore = [path.name for path in TESTS.glob("test_*.py") if path.name.startswith("test_bulk") != _BULK]

REAL_TORCH = importlib.util.find_spec("torch") is not None
if not REAL_TORCH:
    sys.path.append(str(TESTS / "torch_stand_in"))
if "HEARWIRE_BIN" in os.environ:
    os.environ["HEARWIRE_SERVER_PROGRAM"] = os.path.join(os.environ["HEARWIRE_BIN"], "hearwire-server")
# What the caller's environment says must not decide what is tested.
for variable in (
    *("HEARWIRE_SERVER", "HEARWIRE_MODEL_REPOSITORY", "HEARWIRE_NETWORKS", "HEARWIRE_ROOTS", "HEARWIRE_CLIENT_CERT"),
    *("HEARWIRE_CLIENT_KEY", "HEARWIRE_SERVER_NAME", "HEARWIRE_TOKEN", "HEARWIRE_TOKEN_FILE", "HEARWIRE_METADATA"),
):
    os.environ.pop(variable, None)

from on_a_loop import OnALoop  # noqa: E402
from scripted_server import ScriptedServer  # noqa: E402

import hearwire  # noqa: E402
from hearwire._own_server import OwnServer  # noqa: E402


def pytest_report_header():
    kind = "PyTorch" if REAL_TORCH else "a stand-in for PyTorch's tensors (scripts/hear-eval tests with PyTorch itself)"
    return [f"hearwire: {os.path.dirname(hearwire.__file__)}", f"HEAR's interface: with {kind}"]


@pytest.fixture(scope="session")
def own_server():
    """A server on the embedded network."""
    server = OwnServer([])
    yield server
    server.stop()


@pytest.fixture
def client(own_server):
    with hearwire.Client(own_server.address, deadline=30 * PATIENCE) as running:
        yield running


@pytest.fixture(params=[hearwire.Client, OnALoop], ids=["Client", "AsyncClient"])
def kind(request):
    """Either client, to be made with the same arguments and asked alike."""
    return request.param


@pytest.fixture
def scripted():
    """A server that answers as a test tells it."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="session")
def shared():
    """The folder of golden data."""
    folder = pathlib.Path(os.environ.get("HEARWIRE_SHARED") or REPOSITORY.parent / "shared")
    if not (folder / "golden/configs.csv").exists():
        assert os.environ.get("HEARWIRE_REQUIRE_SHARED") != "1", f"golden data is required, but {folder} has none"
        pytest.skip("no golden data: set HEARWIRE_SHARED to the folder that holds golden/configs.csv")
    return folder
