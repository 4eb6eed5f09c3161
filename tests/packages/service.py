"""Runs the unit's ExecStart in a root folder as systemd would, with a NOTIFY_SOCKET, without systemd."""

from __future__ import annotations

import os
import pathlib
import resource
import signal
import socket
import subprocess

NOBODY = "65534"


class Unit:
    """What a unit's file says: lines of the same name are a list."""

    def __init__(self, path: pathlib.Path):
        self._lines = [line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and line[0] != "#"]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._lines if key == name]

    def one(self, name: str) -> str:
        [value] = self.all(name)
        return value


def limit_files(most: int) -> None:
    """Or to what this system allows, where that is less."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Service:
    """The program, as a user without privileges, with the unit's environment, limit of files and umask."""

    def __init__(self, root: pathlib.Path, unit: Unit, **environment: str):
        assert unit.one("Type") == "notify"
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"hearwire-packages-{os.getpid()}"
        self._manager.bind(f"\0{name}")
        self._manager.settimeout(20)
        variables = dict(line.split("=", 1) for line in unit.all("Environment")) | environment
        self.process = subprocess.Popen(
            ["chroot", f"--userspec={NOBODY}:{NOBODY}", str(root),
             "/usr/bin/env", "-i", f"NOTIFY_SOCKET=@{name}", *(f"{key}={value}" for key, value in variables.items()),
             *unit.one("ExecStart").split()],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            umask=int(unit.one("UMask"), 8), preexec_fn=lambda: limit_files(int(unit.one("LimitNOFILE"))),
        )  # fmt: skip

    def told(self) -> dict[str, str]:
        """The next that systemd is told."""
        try:
            lines = self._manager.recv(4096).decode().split("\n")
        except TimeoutError:
            self.process.kill()
            raise AssertionError(f"nothing is told: {self.end()}") from None
        return dict(line.split("=", 1) for line in lines)

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)

    def end(self) -> tuple[int, str]:
        """Its exit code and all that it wrote."""
        words = self.process.communicate(timeout=60)[0]
        return self.process.returncode, words

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._manager.close()
