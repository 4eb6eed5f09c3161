"""The arguments that the measuring programs share."""

from __future__ import annotations

import argparse
import pathlib


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def parser(rounds: int = 9) -> argparse.ArgumentParser:
    """BUILD FOLDER RESULTS [--rounds N]: the build folder, one to work in, and the JSON file to write."""
    made = argparse.ArgumentParser()
    made.add_argument("build", type=pathlib.Path)
    made.add_argument("folder", type=pathlib.Path)
    made.add_argument("results", type=pathlib.Path)
    made.add_argument("--rounds", type=_positive, default=rounds)
    return made
