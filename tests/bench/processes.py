"""What a process has used, as the system counts it."""

from __future__ import annotations

import pathlib
import time


def cpu_seconds(pid: int) -> float:
    """Of all its threads, those that ended too: the clock that clock_getcpuclockid names."""
    return time.clock_gettime((~pid << 3) | 2)


def thread_seconds(pid: int) -> dict[str, float]:
    """Of the threads that live, by name."""
    seconds: dict[str, float] = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        name = "worker" if name.startswith("worker-") else name
        seconds[name] = seconds.get(name, 0) + int((task / "schedstat").read_text().split()[0]) / 1e9
    return seconds


def memory(pid: int) -> dict[str, int]:
    """VmRSS and VmHWM, resident now and at most so far, in kB."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "VmHWM"))}
