"""Every translation unit of a build folder through its own compiler, without making code.

    check_syntax.py BUILD [--but FILE…]

Clang's thread-safety analysis and what else the compiler warns of are done by then: a quarter of a build's time is
saved, and nothing is linked. A header that its own .cc file includes first is compiled there as it is alone, and not a
second time. FILE: checked otherwise. What is generated must be there.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]

def syntax_only(command: str) -> list[str]:
    words = shlex.split(command)
    if pathlib.Path(words[0]).name == "ccache":
        words = words[1:]
    output = words.index("-o")
    return [*words[:output], *words[output + 2:], "-fsyntax-only"]


INCLUDE = re.compile(r'^#include [<"]([^>"]+)[>"]', re.MULTILINE)


def first_include(source: pathlib.Path) -> str | None:
    found = INCLUDE.search(source.read_text())
    return found and found[1]


def stands_first(unit: dict, sources: set[str]) -> bool:
    """Whether the unit is a header alone (CMake writes such for header sets) which its own .cc file includes first."""
    if not unit["file"].endswith(".h.cxx"):
        return False
    header = first_include(pathlib.Path(unit["file"]))
    own = (ROOT / header).with_suffix(".cc")
    return str(own) in sources and first_include(own) == header


def check(unit: dict) -> tuple[bool, str]:
    ran = subprocess.run(syntax_only(unit["command"]), cwd=unit["directory"], capture_output=True, text=True)
    return ran.returncode == 0, ran.stdout + ran.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--but", nargs="*", default=[], type=pathlib.Path)
    arguments = parser.parse_args()
    left_out = {str(path.resolve()) for path in arguments.but}
    units = json.loads((arguments.build / "compile_commands.json").read_text())
    sources = {unit["file"] for unit in units}
    # The same file with the same flags is in a test and in a program.
    chosen = {shlex.join(syntax_only(unit["command"])): unit for unit in units
              if unit["file"] not in left_out and not stands_first(unit, sources)}
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for unit, (fine, said) in zip(chosen.values(), pool.map(check, chosen.values())):
            if said:
                print(said, flush=True)
            if not fine:
                print(f"failed: {unit['file']}", flush=True)
                failed += 1
    print(f"{len(chosen)} translation units checked, {failed} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
