"""Where things are on the machine that the kit runs on."""

from __future__ import annotations

import importlib.util
import os
import pathlib

# Where a container's driver lies when the loader does not know it.
_DRIVER_FOLDERS = ("/usr/local/nvidia/lib64", "/usr/local/nvidia/lib")


def find_torch_libraries() -> pathlib.Path | None:
    """The folder of libtorch_cpu.so: what TORCH_LIB names, or of the torch that this Python has. Imports nothing."""
    if os.environ.get("TORCH_LIB"):
        return pathlib.Path(os.environ["TORCH_LIB"])
    found = importlib.util.find_spec("torch")
    return pathlib.Path(found.origin).parent / "lib" if found and found.origin else None


def library_path(kit: pathlib.Path, torch_libraries: pathlib.Path) -> str:
    """LD_LIBRARY_PATH for the kit's own programs. Python and the system's programs go without: they have their own."""
    known = os.environ.get("LD_LIBRARY_PATH")
    return ":".join([str(kit / "lib"), str(torch_libraries), *([known] if known else []), *_DRIVER_FOLDERS])


def own_environment() -> dict[str, str]:
    """Of a step's helper program that starts one of the kit's own."""
    return {**os.environ, "LD_LIBRARY_PATH": os.environ["KIT_LIBRARY_PATH"]}
