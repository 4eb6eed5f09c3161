"""Says what the machine is, and whether each of the kit's programs finds its libraries there.

facts.py --kit FOLDER --device cuda|cpu
"""

import argparse
import importlib.util
import os
import pathlib
import platform
import shutil
import subprocess
import sys

from machine import own_environment


def first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"({error})"
    return (done.stdout or done.stderr).strip().split("\n")[0]


def processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


parser = argparse.ArgumentParser()
parser.add_argument("--kit", type=pathlib.Path, required=True)
parser.add_argument("--device", required=True)
given = parser.parse_args()

missing = 0
memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
print(f"RESULT processor {processor()}; cpus={os.cpu_count()} usable={len(os.sched_getaffinity(0))} memory_gib={memory}")
print(f"RESULT system {platform.platform()}, Python {platform.python_version()}")
versions = given.kit / "VERSIONS"
if versions.exists():
    print(f"RESULT kit {'; '.join(versions.read_text().split(chr(10))).strip('; ')}")
if shutil.which("nvidia-smi"):
    fields = "name,driver_version,memory.total,clocks.max.sm,clocks.max.memory,power.limit,compute_cap"
    print(f"RESULT gpu {fields} = {first_line('nvidia-smi', f'--query-gpu={fields}', '--format=csv,noheader')}")
elif given.device == "cuda":
    print("RESULT gpu failed: no nvidia-smi, so no driver")
    missing += 1
program = ("import torch; print(torch.__version__, 'cuda', torch.version.cuda, 'cudnn', torch.backends.cudnn.version(), "
         "'usable' if torch.cuda.is_available() else 'no device')")  # fmt: skip
if importlib.util.find_spec("torch"):
    print(f"RESULT torch {first_line(sys.executable, '-c', program)}")
else:
    print("RESULT torch absent from this Python: peers cannot be run")

programs = [p for folder in ("bin", "tests", "lib/hearwire") for p in sorted((given.kit / folder).glob("*")) if p.is_file()]
for program in programs:
    with open(program, "rb") as file:
        if file.read(4) != b"\x7fELF":
            continue
    found = subprocess.run(["ldd", str(program)], capture_output=True, text=True, env=own_environment())
    for line in (found.stdout + found.stderr).splitlines():
        if "not found" in line:  # Of a library, or of a version that a library should have.
            print(f"RESULT library failed: {program.name}: {line.strip()}")
            missing += 1
print(f"RESULT libraries programs={len(programs)} missing={missing}")
sys.exit(1 if missing else 0)
