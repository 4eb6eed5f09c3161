"""Runs the unit tests of the CUDA path and says how each ended.

unit_tests.py --tests FOLDER --device cuda|cpu
"""

import argparse
import pathlib
import re
import subprocess
import sys

from machine import own_environment

# Of a test's name: those that run on one device have it in theirs. All others run as they are.
OTHER_DEVICE = {"cuda": "*/cpu_*", "cpu": "*/cuda_*"}
ENDED = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+) \(")

parser = argparse.ArgumentParser()
parser.add_argument("--tests", type=pathlib.Path, required=True)
parser.add_argument("--device", required=True)
given = parser.parse_args()

programs = sorted(given.tests.glob("torch_*_test"))
if not programs:
    print(f"RESULT unit_tests failed: no torch_*_test in {given.tests}")
    sys.exit(1)
code = 0
for program in programs:
    counts = {"OK": 0, "FAILED": 0, "SKIPPED": 0}
    process = subprocess.Popen(
        [str(program), f"--gtest_filter=-{OTHER_DEVICE[given.device]}", "--gtest_color=no"],
        env=own_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    for line in process.stdout:
        print(line, end="", flush=True)
        if match := ENDED.match(line):
            counts[match[1]] += 1
            if match[1] != "OK":
                print(f"RESULT unit_test {program.name} {match[2]} {match[1]}", flush=True)
    rc = process.wait()
    print(f"RESULT unit_tests {program.name} ok={counts['OK']} failed={counts['FAILED']} skipped={counts['SKIPPED']} rc={rc}")
    code = code or (1 if rc else 0)
sys.exit(code)
