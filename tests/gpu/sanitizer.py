"""Checks every memory access of one small call, with CUDA's compute-sanitizer.

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
# One window a chunk, of the smallest network: the tool makes everything many times slower.
call = "speed --device cuda --width 0.1 --max-batch-frames 16 --warm-up-seconds 0 --seconds 0.01 --work windows:2".split()
code = subprocess.call([tool, "--tool", "memcheck", "--error-exitcode", str(FOUND), sys.argv[1], *call], env=own_environment())
print(f"RESULT sanitizer memcheck {'clean' if code == 0 else 'found something' if code == FOUND else f'failed: exit code {code}'}")
sys.exit(code if code >= 0 else 128 - code)
