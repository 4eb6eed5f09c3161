"""Runs a program while this process holds the GPU's memory.

hold_memory.py --leave-mib N -- PROGRAM ARGUMENT …
"""

import argparse
import os
import subprocess
import sys

import torch
from machine import own_environment

parser = argparse.ArgumentParser()
parser.add_argument("--leave-mib", type=int, required=True, help="what the program may have")
parser.add_argument("command", nargs="+")
given = parser.parse_args()

free, _ = torch.cuda.mem_get_info()
# Whole blocks, until no more than that is left: one large one may not fit.
held = []
while (size := torch.cuda.mem_get_info()[0] - (given.leave_mib << 20)) > 64 << 20:
    held.append(torch.empty(min(size, 4 << 30), dtype=torch.uint8, device="cuda"))
print(f"RESULT memory held_mib={sum(block.numel() for block in held) >> 20} of_free_mib={free >> 20} "
      f"left_mib={torch.cuda.mem_get_info()[0] >> 20}", flush=True)  # fmt: skip
own = given.command[0] != sys.executable  # Python has its own libraries.
code = subprocess.call(given.command, env=own_environment() if own else dict(os.environ))
sys.exit(code if code >= 0 else 128 - code)
