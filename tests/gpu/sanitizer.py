"""Checks every memory access of one small call of each backend on GPUs, with CUDA's compute-sanitizer.

sanitizer.py PROBE
"""

import os
import shutil
import subprocess
import sys

from machine import own_environment

FOUND = 9  # Its exit code when it found something.

tool = shutil.which("compute-sanitizer", path=os.environ["PATH"] + ":/usr/local/cuda/bin")
if tool is None:
    print("RESULT sanitizer skipped: this machine has no compute-sanitizer")
    sys.exit(0)
worst = 0
for device in ("kernels", "cuda"):  # As gpu_probe calls them: the backend cuda, LibTorch's.
    # One window a chunk, of the smallest network: the tool makes everything many times slower.
    call = f"speed --device {device} --width 0.1 --max-batch-frames 16 --warm-up-seconds 0 --seconds 0.01 --work windows:2".split()
    code = subprocess.call([tool, "--tool", "memcheck", "--error-exitcode", str(FOUND), sys.argv[1], *call], env=own_environment())
    found = "clean" if code == 0 else "found something" if code == FOUND else f"failed: exit code {code}"
    print(f"RESULT sanitizer memcheck device={device} {found}", flush=True)
    worst = max(worst, code if code >= 0 else 128 - code)
sys.exit(worst)
