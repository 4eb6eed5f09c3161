"""Becomes the program of its arguments, and has it ended when the process that started it ends, however that happens.

Run as a script, by a thread that lives as long as its process: it is that thread's end which Linux tells of.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

parent, program, *arguments = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
# It may have ended before it was watched.
if os.getppid() != int(parent):
    sys.exit(f"the process {parent} that wanted {program} is gone")
os.execv(program, [program, *arguments])
