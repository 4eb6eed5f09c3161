"""deploy/haproxy/haproxy.cfg on free ports, before servers that a test has started."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Sequence

CONFIGURATION = pathlib.Path(__file__).resolve().parents[2] / "deploy/haproxy/haproxy.cfg"
# HEARWIRE_HAPROXY: another one than the system's.
PROGRAM = os.environ.get("HEARWIRE_HAPROXY") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")

# What docs/operations.md starts servers with that stand behind it on one machine.
BEHIND = ("--trusted-proxies=127.0.0.1",)


def secure(certificates, front: Front) -> dict[str, str]:
    """The environment of a client of Hearwire's, by which it finds the front and trusts it."""
    return {"HEARWIRE_SERVER": f"https://{front.address}", "HEARWIRE_ROOTS": str(certificates.path("ca.pem"))}


def version() -> tuple[int, int]:
    said = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=True).stdout
    major, minor = re.search(r"version (\d+)\.(\d+)", said).groups()
    return int(major), int(minor)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _put(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{CONFIGURATION.name} has {old!r} {text.count(old)} times"
    return text.replace(old, new)


class Front:
    """Runs HAProxy, master and worker, until `stop` or the end of a with block."""

    def __init__(self, certificates, servers: list[str], bind: str = "", changes: dict[str, str] | None = None,
                 host: str = "127.0.0.1", prefix: Sequence[str] = ()):
        """certificates: tests/e2e's. bind: more of the frontend's line. changes: lines of the file, and what stands for them.
        host: where it listens; prefix: a command that becomes HAProxy, such as one that enters the namespace of that host."""
        self._folder = tempfile.TemporaryDirectory(prefix="hearwire-front-")
        folder = pathlib.Path(self._folder.name)
        pem = folder / "hearwire.pem"
        pem.write_bytes(certificates.read("server.pem") + certificates.read("server.key"))
        self.address, self.statistics = f"{host}:{_free_port()}", f"127.0.0.1:{_free_port()}"
        text = CONFIGURATION.read_text()
        text = _put(text, "    user haproxy\n    group haproxy\n", "")
        text = _put(text, "/run/haproxy/hearwire.sock", str(folder / "admin.sock"))
        text = _put(text, "bind :8443 ssl crt /etc/haproxy/hearwire.pem", f"bind {self.address} {bind} ssl crt {pem}")
        text = _put(text, "bind 127.0.0.1:8404", f"bind {self.statistics}")
        lines = "".join(f"    server s{i} {address}\n" for i, address in enumerate(servers))
        [line] = [line for line in text.splitlines(keepends=True) if line.startswith("    server ")]
        text = _put(text, line, lines)
        for old, new in (changes or {}).items():
            text = _put(text, old, new)
        self._admin = folder / "admin.sock"
        self._file = folder / "haproxy.cfg"
        self._file.write_text(text)
        self._log = open(folder / "log", "w+")
        self.process = subprocess.Popen(
            [*prefix, PROGRAM, "-W", "-db", "-f", str(self._file)], stdout=self._log, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL)
        self.wait_for(len(servers))

    def wait_for(self, servers: int, seconds: float = 20) -> None:
        """Until so many servers are up, by HAProxy's own checks."""
        end = time.monotonic() + seconds
        while self.servers_up() != servers:
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise RuntimeError(f"no {servers} servers are up behind HAProxy:\n{self.log()}")
            time.sleep(0.05)

    def servers_up(self) -> int | None:
        try:
            return sum(" UP " in f" {line.split(',')[17]} " for line in self.ask("show stat").splitlines()
                       if line.startswith("hearwire,s"))
        except OSError:
            return None

    def ask(self, command: str) -> str:
        """A command of HAProxy's socket."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self._admin))
            admin.sendall(command.encode() + b"\n")
            admin.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: admin.recv(1 << 16), b"")).decode()

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://{self.statistics}/metrics", timeout=10) as reply:
            return reply.read().decode()

    def reload(self) -> None:
        """A new worker takes over; the old one keeps what it has."""
        self.process.send_signal(signal.SIGUSR2)

    def workers(self) -> list[int]:
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def resident_mb(self) -> float:
        """Of the workers together."""
        total = 0
        for pid in self.workers():
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS"):
                    total += int(line.split()[1])
        return total / 1024

    def log(self) -> str:
        self._log.flush()
        return pathlib.Path(self._log.name).read_text()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()
        self._folder.cleanup()

    def __enter__(self) -> Front:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
