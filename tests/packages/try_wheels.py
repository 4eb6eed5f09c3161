"""Uses hearwire[server] as scripts/wheel has installed it, in a system that has nothing else: no compiler, no server.

With /torch_stand_in on PYTHONPATH, and golden numbers in /hearwire_mn01.
"""

import importlib.metadata
import json
import pathlib
import platform
import subprocess
import sys

import hearwire_server
import numpy as np
import torch

import hearwire
from hearwire._own_server import server_program
from hearwire.hear import hearwire_mn01_all_b_mel_avgs as module

BIN = pathlib.Path(sys.prefix, "bin")


def chirp() -> np.ndarray:
    """chirp_1s of tests/golden/hearwire_mn01."""
    t = np.arange(32000) / 32000
    k = np.log(12000 / 80)
    return (0.5 * np.sin(2 * np.pi * 80 / k * (np.exp(t * k) - 1))).astype(np.float32)


def check_metadata() -> None:
    wheel = importlib.metadata.distribution("hearwire").read_text("WHEEL")
    assert "Root-Is-Purelib: true" in wheel and "Tag: py3-none-any" in wheel, wheel
    server = importlib.metadata.distribution("hearwire-server")
    assert "Tag: py3-none-manylinux_2_36_x86_64\n" in server.read_text("WHEEL"), server.read_text("WHEEL")
    assert server.version == hearwire.__version__
    libraries = {path.name for path in server.files if path.parts[0] == "hearwire_server.libs"}
    bill = json.loads(server.read_text("sboms/hearwire-server.cdx.json"))
    named = set()
    for component in bill["components"]:
        properties = [(entry["name"], entry["value"]) for entry in component["properties"]]
        [file] = [value for name, value in properties if name == "hearwire:licence-file"]
        assert component["version"] and component["licenses"] and server.read_text(file), component
        named |= {value for name, value in properties if name == "hearwire:library"}
    assert named == libraries and len(libraries) > 10, named ^ libraries
    assert "MIT License" in server.read_text("licenses/LICENSE")


def check_programs() -> None:
    for name in ("hearwire", "hearwire-load", "hearwire-server"):
        for command in (str(BIN / name), hearwire_server.program(name)):
            said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
            assert said.split() == [name, hearwire.__version__], said
    for wrong in ("hearwire-serve", "../__init__.py"):
        try:
            hearwire_server.program(wrong)
        except ValueError as error:
            assert "hearwire-server" in str(error)
        else:
            raise AssertionError(f"{wrong} is taken for a program")
    refused = subprocess.run([str(BIN / "hearwire-server"), "--workers=many"], capture_output=True, text=True)
    assert refused.returncode == 1 and '"many" will not do' in refused.stderr, refused


def check_hear() -> None:
    """The environment is not activated: its programs are not on PATH."""
    assert server_program() == hearwire_server.program("hearwire-server")
    model = module.load_model()
    found = module.get_scene_embeddings(torch.from_numpy(chirp()[np.newaxis]), model).numpy()
    expected = np.load("/hearwire_mn01/chirp_1s.scene.npy").reshape(1, -1)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


check_metadata()
check_programs()
check_hear()
print(f"hearwire[server] {hearwire.__version__} works with Python {platform.python_version()}")
