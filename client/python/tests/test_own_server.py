"""A server of this process's own: how it is found, and that it ends with the process, however that ends."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import types

import pytest
from conftest import PATIENCE

import hearwire
from hearwire._own_server import OwnServer, server_program


def gone_within(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < end:
        try:
            # A zombie of another parent counts as gone: it holds nothing any more.
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def run_owner(then: str) -> "tuple[subprocess.Popen[str], int]":
    """A process that starts a server and says its id, and goes on with `then`."""
    code = f"from hearwire._own_server import OwnServer\ns = OwnServer([])\nprint(s.pid, flush=True)\n{then}"
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    pid = int(owner.stdout.readline())
    os.kill(pid, 0)
    return owner, pid


def test_it_ends_when_it_is_told_to():
    server = OwnServer([])
    with hearwire.Client(server.address) as client:
        assert client.check_health() is hearwire.ServingStatus.SERVING
    assert server.is_running()
    server.stop()
    assert not server.is_running()
    server.stop()


@pytest.mark.parametrize("then", ["", "import sys; sys.exit(3)", "raise RuntimeError('on purpose')"])
def test_it_ends_with_its_process(then):
    owner, pid = run_owner(then)
    with owner:
        assert gone_within(pid, 20)


def test_it_ends_when_its_process_is_killed():
    owner, pid = run_owner("input()")
    with owner:
        os.kill(owner.pid, signal.SIGKILL)
        assert gone_within(pid, 20)


def test_it_outlives_the_thread_that_asked_for_it():
    then = (
        "import threading; t = threading.Thread(target=lambda: globals().update(o=OwnServer([])))\n"
        "t.start(); t.join(); o._keeper.join(0.5); print(o.is_running(), flush=True)"
    )
    owner, _ = run_owner(then)
    with owner:
        assert owner.stdout.readline().strip() == "True"


def test_a_fork_of_its_process_does_not_end_it():
    then = (
        "import os, sys\nif os.fork() == 0: sys.exit(0)\n"
        "os.wait(); s._keeper.join(0.5); print(s.is_running(), flush=True)"
    )
    owner, _ = run_owner(then)
    with owner:
        assert owner.stdout.readline().strip() == "True"


def test_ctrl_c_is_not_for_the_server():
    owner, pid = run_owner("input()")
    with owner:
        assert os.getpgid(pid) != os.getpgid(owner.pid)
        owner.stdin.close()


def test_a_server_that_cannot_start_says_why():
    with pytest.raises(RuntimeError, match="mn99_as"):
        OwnServer(["--networks=mn99_as"])


def test_without_a_program_the_error_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.setenv("HEARWIRE_SERVER_PROGRAM", "/no/such/program")
    with pytest.raises(RuntimeError, match="HEARWIRE_SERVER_PROGRAM=/no/such/program"):
        OwnServer([])
    monkeypatch.delenv("HEARWIRE_SERVER_PROGRAM")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="HEARWIRE_SERVER .*PATH"):
        OwnServer([])


@pytest.mark.parametrize("variable", [None, "", "7"])
def test_its_defaults_yield_to_the_environment(monkeypatch, variable):
    monkeypatch.delenv("HEARWIRE_MAX_CLIPS", raising=False)
    if variable is not None:
        monkeypatch.setenv("HEARWIRE_MAX_CLIPS", variable)
    server = OwnServer([], {"HEARWIRE_MAX_CLIPS": "5"})
    assert f"max-clips={variable or 5} " in server.last_words()
    server.stop()


def test_the_program_of_the_servers_wheel_is_found_where_path_has_none(monkeypatch, tmp_path):
    wheel = types.ModuleType("hearwire_server")
    wheel.program = lambda name: f"/wheel/bin/{name}"
    monkeypatch.setitem(sys.modules, "hearwire_server", wheel)
    found = server_program()
    assert not found.startswith("/wheel")
    monkeypatch.delenv("HEARWIRE_SERVER_PROGRAM")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_program() == "/wheel/bin/hearwire-server"


def test_the_program_is_found_on_the_path(monkeypatch, tmp_path):
    program = tmp_path / "hearwire-server"
    program.symlink_to(server_program())
    monkeypatch.delenv("HEARWIRE_SERVER_PROGRAM")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_program() == str(program)
