"""Takes the programs of a build into the wheel: those of the folder that HEARWIRE_WHEEL_PROGRAMS names."""

from __future__ import annotations

import os
import pathlib
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROGRAMS = ("hearwire", "hearwire-load", "hearwire-server")


class NativePrograms(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        folder = os.environ.get("HEARWIRE_WHEEL_PROGRAMS")
        if not folder:
            raise RuntimeError("the programs are compiled before: build this wheel with scripts/wheel")
        # For every Python, and for the system that they were compiled on: auditwheel says which that is.
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-linux_x86_64"
        for program in PROGRAMS:
            path = pathlib.Path(folder, program)
            if not path.is_file():
                raise FileNotFoundError(f"HEARWIRE_WHEEL_PROGRAMS={folder} has no {program}")
            build_data["force_include"][str(path)] = f"hearwire_server/bin/{program}"
