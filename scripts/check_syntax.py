"""Every translation unit of a build folder through its own compiler, without making code.

    check_syntax.py BUILD [--but FILE…]

Clang's thread-safety analysis and what else the compiler warns of are done by then: a quarter of a build's time is
saved, and nothing is linked. FILE: checked otherwise. What is generated must be there.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys


def syntax_only(command: str) -> list[str]:
    words = shlex.split(command)
    if pathlib.Path(words[0]).name == "ccache":
        words = words[1:]
    output = words.index("-o")
    return [*words[:output], *words[output + 2:], "-fsyntax-only"]


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
    # The same file with the same flags is in a test and in a program.
    chosen = {shlex.join(syntax_only(unit["command"])): unit for unit in units if unit["file"] not in left_out}
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
