"""What is in the wheel, and that it says the same as the repository."""

import importlib.metadata
import pathlib
import re
import subprocess
import sys

from conftest import REPOSITORY

import hearwire
from hearwire.v1 import embedding_pb2


def test_the_version_is_the_projects():
    (version,) = re.findall(r"project\(hearwire VERSION (\S+)", (REPOSITORY / "CMakeLists.txt").read_text())
    assert hearwire.__version__ == importlib.metadata.version("hearwire") == version


def test_it_is_typed_and_has_its_licence():
    files = {str(path) for path in importlib.metadata.files("hearwire")}
    assert {"hearwire/py.typed", "hearwire/LICENSE", "hearwire/v1/embedding_pb2.pyi"} <= files
    assert not [path for path in files if "tests" in path or "hatch" in path]


def test_the_stubs_are_of_this_proto():
    text = (REPOSITORY / "proto/hearwire/v1/embedding.proto").read_text()
    assert set(re.findall(r"^message (\w+)", text, re.M)) == set(embedding_pb2.DESCRIPTOR.message_types_by_name)


def test_importing_it_warns_of_nothing():
    subprocess.run([sys.executable, "-W", "error", "-c", "import hearwire"], check=True)


def test_it_is_not_imported_from_the_source_tree():
    assert REPOSITORY / "client" not in pathlib.Path(hearwire.__file__).parents
