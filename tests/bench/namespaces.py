"""Network namespaces as machines, each with an address of its own. Take root."""

from __future__ import annotations

import os
import subprocess


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Star:
    """A namespace for a server, and one for each caller, joined to it alone. They reach nothing else. Takes root."""

    def __init__(self, callers: int):
        self._names = [f"hearwire-{os.getpid()}-{i}" for i in range(callers + 1)]
        try:
            for name in self._names:
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
            for i in range(1, callers + 1):
                _ip("-n", self._names[0], "link", "add", f"to{i}", "type", "veth", "peer", "name", "hub",
                    "netns", self._names[i])
                for name, device, address in ((self._names[0], f"to{i}", self.server_address(i)),
                                              (self._names[i], "hub", f"10.99.{i}.2")):
                    _ip("-n", name, "address", "add", f"{address}/24", "dev", device)
                    _ip("-n", name, "link", "set", device, "up")
        except BaseException:
            self.remove()
            raise

    @staticmethod
    def server_address(caller: int) -> str:
        """Of the server, as caller 1, 2, … reaches it."""
        return f"10.99.{caller}.1"

    def inside(self, member: int) -> list[str]:
        """The start of a command that runs what follows in the namespace of the server, 0, or of a caller."""
        return ["ip", "netns", "exec", self._names[member]]

    def remove(self) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)

    def __enter__(self) -> Star:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Lan:
    """Namespaces on one switch, 10.98.0.1, 10.98.0.2, …, which reach each other and nothing else."""

    def __init__(self, members: int):
        self._names = [f"hearwire-lan-{os.getpid()}-{i}" for i in range(members + 1)]
        try:
            for name in self._names:
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
            switch = self._names[0]
            _ip("-n", switch, "link", "add", "switch", "type", "bridge")
            _ip("-n", switch, "link", "set", "switch", "up")
            for i, name in enumerate(self._names[1:], 1):
                _ip("-n", switch, "link", "add", f"to{i}", "type", "veth", "peer", "name", "lan", "netns", name)
                _ip("-n", switch, "link", "set", f"to{i}", "master", "switch", "up")
                _ip("-n", name, "address", "add", f"{self.address(i)}/24", "dev", "lan")
                _ip("-n", name, "link", "set", "lan", "up")
        except BaseException:
            self.remove()
            raise

    @staticmethod
    def address(member: int) -> str:
        """Of member 1, 2, …"""
        return f"10.98.0.{member}"

    def inside(self, member: int) -> list[str]:
        """The start of a command that runs what follows there."""
        return ["ip", "netns", "exec", self._names[member]]

    def cut_off(self, member: int, cut: bool) -> None:
        """Every packet to and from it is dropped without a word, or no longer."""
        for chain in ("INPUT", "OUTPUT"):
            subprocess.run([*self.inside(member), "iptables", "-A" if cut else "-D", chain, "-o" if chain == "OUTPUT" else "-i",
                            "lan", "-j", "DROP"], check=True, capture_output=True)

    def remove(self) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)

    def __enter__(self) -> Lan:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
