"""A real server to measure, of a build folder: what the programs that measure one share."""

from __future__ import annotations

import argparse
import importlib
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
WIDTHS = {"mn01": "0.1", "mn04": "0.4", "mn10": "1.0"}


def parser(description: str) -> argparse.ArgumentParser:
    """BUILD: the folder of a build with tests."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("build", type=pathlib.Path, help="a build's folder, such as build/dev")
    return made


def server_module(build: pathlib.Path):
    """tests/e2e/hearwire_server.py, with the programs of that build."""
    os.environ["HEARWIRE_BIN"] = str(build.resolve() / "bin")
    sys.path.insert(0, str(HERE.parent / "e2e"))
    return importlib.import_module("hearwire_server")


def write_checkpoints(build: pathlib.Path, folder: pathlib.Path, *networks: str) -> None:
    """Checkpoints with made-up weights: what they cost is what real ones do."""
    commands = "".join(f"checkpoint {WIDTHS[name]} {folder}/{name}_as.pt\n" for name in networks)
    subprocess.run(
        [build / "tests/bench_worker", "native", "/dev/null"],
        input=commands, text=True, check=True, stdout=subprocess.DEVNULL)


def repository(build: pathlib.Path, *networks: str) -> tempfile.TemporaryDirectory:
    """A folder with those checkpoints, for --model-repository."""
    folder = tempfile.TemporaryDirectory(prefix="hearwire-models-")
    write_checkpoints(build, pathlib.Path(folder.name), *networks)
    return folder


def percentile(values: list[float], share: float) -> float:
    """Not a number where there are no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
