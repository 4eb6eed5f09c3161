"""Servers that are restarted one after the other, and a single one, under load from each client: no call fails."""

import contextlib
import os
import pathlib
import subprocess
import threading

import pytest

from hearwire_server import BIN, PATIENCE, Server, chirp
from python_client import PythonLoad

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("HEARWIRE_")}


class Restartable:
    """A server that comes back at its address."""

    def __init__(self, *flags: str):
        self.flags = flags
        self.server = Server(*flags)
        self.address = self.server.address

    def restart(self, pause: float = 0) -> None:
        assert self.server.stop() == 0
        threading.Event().wait(pause)
        self.server = Server(*self.flags, f"--grpc-port={self.address.rsplit(':', 1)[1]}")

    def stop(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.server.stop()


@pytest.fixture
def three():
    servers = [Restartable("--lame-duck=1s") for _ in range(3)]
    yield servers
    for server in servers:
        server.stop()


def roll(servers) -> None:
    for server in servers:
        threading.Event().wait(1)
        server.restart()
    threading.Event().wait(1)


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_python_loses_no_call(three, kind):
    load = PythonLoad(kind, ",".join(server.address for server in three))
    roll(three)
    found = load.stop()
    assert found["failures"] == [] and found["calls"] > 50


def test_the_load_generator_loses_no_call(three):
    """The C++ client."""
    load = subprocess.Popen(
        [str(BIN / "hearwire-load"), "--server", ",".join(server.address for server in three), "--rate", "40",
         "--warm-up", "0", "--duration", "13s", "--objective-errors", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=CLEAN)
    roll(three)
    said, _ = load.communicate(timeout=60 * PATIENCE)
    assert load.returncode == 0, said


def write_sounds(folder: pathlib.Path, count: int) -> None:
    data = (chirp(1) * 32767).astype("<i2").tobytes()
    header = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += b"\1\0\1\0" + (32000).to_bytes(4, "little") + (64000).to_bytes(4, "little") + b"\2\0\x10\0"
    for i in range(count):
        (folder / f"{i}.wav").write_bytes(header + b"data" + len(data).to_bytes(4, "little") + data)


def test_the_command_goes_on_when_its_only_server_is_back(tmp_path):
    """hearwire embed of a folder of sounds, its server away meanwhile."""
    write_sounds(tmp_path, 4000)
    server = Restartable("--lame-duck=0s")
    try:
        out = tmp_path / "out"
        command = subprocess.Popen(
            [str(BIN / "hearwire"), "embed", str(tmp_path), "--output", str(out), "--server", server.address],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=CLEAN)
        threading.Event().wait(0.5)
        assert command.poll() is None, "it was done before the server went"
        server.restart()
        said, _ = command.communicate(timeout=120 * PATIENCE)
        assert command.returncode == 0, said[-2000:]
        assert server.server.metric("hearwire_requests_total", code="OK") > 0
    finally:
        server.stop()
