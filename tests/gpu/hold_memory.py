"""Runs a program while this process holds the GPU's memory.

hold_memory.py --leave-mib N -- PROGRAM ARGUMENT …
"""

import os
import subprocess
import sys

import torch
from machine import own_environment

split = sys.argv.index("--")
leave, command = int(sys.argv[sys.argv.index("--leave-mib", 0, split) + 1]) << 20, sys.argv[split + 1 :]

free, _ = torch.cuda.mem_get_info()
# Whole blocks, until no more than that is left: one large one may not fit.
held = []
while (size := torch.cuda.mem_get_info()[0] - leave) > 32 << 20:
    held.append(torch.empty(min(size, 4 << 30), dtype=torch.uint8, device="cuda"))
print(f"RESULT memory held_mib={sum(block.numel() for block in held) >> 20} of_free_mib={free >> 20} "
      f"left_mib={torch.cuda.mem_get_info()[0] >> 20}", flush=True)  # fmt: skip
own = command[0] != sys.executable  # Python has its own libraries.
code = subprocess.call(command, env=own_environment() if own else dict(os.environ))
sys.exit(code if code >= 0 else 128 - code)
