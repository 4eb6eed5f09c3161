"""Network namespaces: callers and a server, each with an address of its own."""

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
