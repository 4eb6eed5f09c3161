"""What is in the wheel, and that it says the same as the repository."""

import importlib.metadata
import pathlib
import re
import subprocess
import sys
import wave

import pytest
from conftest import REPOSITORY

import hearwire
from hearwire.admin.v1 import admin_pb2
from hearwire.v1 import embedding_pb2


def test_the_version_is_the_projects():
    (version,) = re.findall(r"project\(hearwire VERSION (\S+)", (REPOSITORY / "CMakeLists.txt").read_text())
    assert hearwire.__version__ == importlib.metadata.version("hearwire") == version


def test_the_extra_server_is_of_the_same_version():
    (needed,) = [text for text in importlib.metadata.requires("hearwire") if 'extra == "server"' in text.replace("'", '"')]
    assert needed.replace(" ", "").startswith(f"hearwire-server=={hearwire.__version__};"), needed


def test_it_is_typed_and_has_its_licence():
    files = {str(path) for path in importlib.metadata.files("hearwire")}
    assert {"hearwire/py.typed", "hearwire/LICENSE", "hearwire/v1/embedding_pb2.pyi"} <= files
    assert not [path for path in files if "tests" in path or "hatch" in path]


@pytest.mark.parametrize("stubs", [embedding_pb2, admin_pb2])
def test_the_stubs_are_of_these_protos(stubs):
    text = (REPOSITORY / "proto" / stubs.DESCRIPTOR.name).read_text()
    assert set(re.findall(r"^message (\w+)", text, re.M)) == set(stubs.DESCRIPTOR.message_types_by_name)


def examples():
    pages = [(REPOSITORY / page).read_text(encoding="utf-8") for page in ("README.md", "docs/python.md")]
    return [example for page in pages for example in re.findall(r"```python\n(.*?)```", page, re.S)]


@pytest.mark.parametrize("example", examples())
def test_the_documented_examples_run(example, own_server, tmp_path):
    sounds = [tmp_path / name for name in ("dog.wav", "sounds/a.wav", "sounds/b.wav")]
    (tmp_path / "sounds").mkdir()
    for path in sounds:
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", ""))
            file.writeframes(bytes(32000))
    code = example.replace("127.0.0.1:8001", own_server.address)
    assert code != example
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_importing_it_warns_of_nothing():
    subprocess.run([sys.executable, "-W", "error", "-c", "import hearwire"], check=True)


def test_it_is_not_imported_from_the_source_tree():
    assert REPOSITORY / "client" not in pathlib.Path(hearwire.__file__).parents
