"""Runs one of the kit's programs and says how busy the GPU was.

watch_gpu.py -- PROGRAM ARGUMENT …
"""

import subprocess
import sys

from gpu_sampler import GpuSampler
from machine import own_environment

command = sys.argv[sys.argv.index("--") + 1 :]
with GpuSampler() as sampler:
    code = subprocess.call(command, env=own_environment())
print(f"RESULT gpu during={command[1]} {sampler.text()}")
sys.exit(code if code >= 0 else 128 - code)
