"""A cgroup with a part of a CPU, of version 1 or 2, whichever the machine has for CPUs. Takes root."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import time
from collections.abc import Iterator

V1, V2 = pathlib.Path("/sys/fs/cgroup/cpu"), pathlib.Path("/sys/fs/cgroup")
# How often the part is given out. Short, so that nobody waits long for the next.
PERIOD_US = 20_000
_numbers = itertools.count()


@contextlib.contextmanager
def cpu_group(cores: float) -> Iterator[list[str]]:
    """The start of a command that runs what follows with so many cores at most. OSError where no group can be made."""
    v1 = (V1 / "cpu.cfs_quota_us").exists()
    if not v1 and "cpu" not in (V2 / "cgroup.subtree_control").read_text().split():
        (V2 / "cgroup.subtree_control").write_text("+cpu")
    group = (V1 if v1 else V2) / f"hearwire-scale-{os.getpid()}-{next(_numbers)}"
    group.mkdir()
    try:
        quota = round(cores * PERIOD_US)
        if v1:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        yield ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$0" "$@"']
    finally:
        end = time.monotonic() + 5
        while True:
            try:
                group.rmdir()
                break
            except OSError:  # What was in it is still ending.
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
