"""Hearwire's native programs, with all libraries that they need."""

from __future__ import annotations

import os
import pathlib
import sys
from typing import NoReturn

__all__ = ["program"]

_BIN = pathlib.Path(__file__).resolve().parent / "bin"


def program(name: str) -> str:
    """The path of hearwire-server, hearwire or hearwire-load. Raises ValueError for what is none of them."""
    names = sorted(os.listdir(_BIN))
    if name not in names:
        raise ValueError(f"no program is called {name!r}; there are {', '.join(names)}")
    return str(_BIN / name)


def _become(name: str) -> NoReturn:
    path = program(name)
    os.execv(path, [path, *sys.argv[1:]])


def _hearwire() -> NoReturn:
    _become("hearwire")


def _hearwire_load() -> NoReturn:
    _become("hearwire-load")


def _hearwire_server() -> NoReturn:
    _become("hearwire-server")
