"""Runs an image that is unpacked in a folder as a container engine would, without one. Linux, as root.

The container's program is process 1 of its own processes, has a network with nothing but a loopback device, a read-only
root, and the image's user without any privilege. Nothing here outlives this Python process.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

# Runs in new namespaces: CGROUP is a folder or empty, then pairs of folders and where they are seen in the container.
# The program follows after --.
_PREPARE = r"""
set -e
root=$1 cgroup=$2
shift 2
if [ -n "$cgroup" ]; then echo 0 > "$cgroup/cgroup.procs"; fi
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
  mount --bind "$1" "$root$2"
  mount -o remount,bind,ro "$root$2"
  shift 2
done
shift
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
for device in null zero full random urandom; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root"
ip link set lo up
exec chroot "$root" "$@"
"""


@dataclasses.dataclass(frozen=True)
class Image:
    root: pathlib.Path
    config: dict  # As Docker has it: User, Env, Entrypoint, Cmd, Healthcheck, …

    def user_and_group(self) -> tuple[int, int]:
        name, _, group = self.config["User"].partition(":")
        for line in (self.root / "etc/passwd").read_text().splitlines():
            fields = line.split(":")
            if name in (fields[0], fields[2]):
                return int(fields[2]), int(group or fields[3])
        return int(name), int(group or 0)

    def command(self, program: list[str], env: dict[str, str]) -> list[str]:
        """The program as the image's user, with the image's environment and no capability."""
        user, group = self.user_and_group()
        variables = dict(line.split("=", 1) for line in self.config["Env"]) | env
        return [
            "/usr/bin/setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs",
            "--bounding-set=-all", "--inh-caps=-all",
            "/usr/bin/env", "-i", *(f"{name}={value}" for name, value in variables.items()), *program,
        ]  # fmt: skip


class CannotLimit(Exception):
    """No cgroup can be made here."""


class CpuQuota:
    """A cgroup, version 1 or 2, that has so many CPUs' time; for a with block."""

    def __init__(self, cpus: float):
        self._cpus = cpus
        self.folder: pathlib.Path | None = None

    def __enter__(self) -> CpuQuota:
        quota, period = int(self._cpus * 100_000), 100_000
        tried = []
        for line in pathlib.Path("/proc/mounts").read_text().splitlines():
            _, mounted, kind, options = line.split()[:4]
            if kind != "cgroup2" and (kind != "cgroup" or "cpu" not in options.split(",")):
                continue
            folder = pathlib.Path(mounted) / f"hearwire-image-test-{os.getpid()}"
            try:
                folder.mkdir()
            except OSError as error:
                tried.append(str(error))
                continue
            try:
                if kind == "cgroup2":
                    (folder / "cpu.max").write_text(f"{quota} {period}")
                else:
                    (folder / "cpu.cfs_period_us").write_text(str(period))
                    (folder / "cpu.cfs_quota_us").write_text(str(quota))
            except OSError as error:
                folder.rmdir()
                tried.append(str(error))
                continue
            self.folder = folder
            return self
        raise CannotLimit("; ".join(tried) or "no cgroup file system is mounted")

    def __exit__(self, *_: object) -> None:
        # A group is busy for a moment after its last process has ended.
        for _ in range(100):
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.05)
        self.folder.rmdir()


def _end_with_parent() -> None:
    """The kernel kills this process when its parent dies."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Container:
    """Starts the image's ENTRYPOINT; in a with block it is killed at the end when it still runs."""

    def __init__(
        self,
        image: Image,
        *,
        env: dict[str, str] | None = None,
        volumes: dict[str, pathlib.Path] | None = None,
        cgroup: pathlib.Path | None = None,
    ):
        self.image = image
        self._env = env or {}
        self._out = tempfile.TemporaryFile()
        self._err = tempfile.TemporaryFile()
        mounts = []
        for inside, folder in (volumes or {}).items():
            # Where a volume is mounted an engine makes a folder in the container's own layer.
            (image.root / inside.lstrip("/")).mkdir(parents=True, exist_ok=True)
            mounts += [str(folder), inside]
        program = [*(image.config["Entrypoint"] or []), *(image.config["Cmd"] or [])]
        self._starter = subprocess.Popen(
            ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child",
             "sh", "-c", _PREPARE, "sh", str(image.root), str(cgroup or ""), *mounts, "--",
             *image.command(program, self._env)],
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err, preexec_fn=_end_with_parent,
        )  # fmt: skip
        self.pid = self._find_process_1()

    def _find_process_1(self) -> int:
        """The number that the container's process 1 has outside."""
        children = pathlib.Path(f"/proc/{self._starter.pid}/task/{self._starter.pid}/children")
        while self._starter.poll() is None:
            for child in children.read_text().split():
                return int(child)
            time.sleep(0.01)
        raise RuntimeError(f"the container did not start:\n{self.err()}")

    def out(self) -> str:
        return self._read(self._out)

    def err(self) -> str:
        return self._read(self._err)

    @staticmethod
    def _read(file) -> str:
        # By position: the file's own one is shared with the program that writes.
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()

    def start(self, *program: str, privileged: bool = False, apart: bool = False) -> subprocess.Popen:
        """Starts a program in the container, as its user; privileged: as its root; apart: not one of its processes."""
        return subprocess.Popen(
            ["nsenter", f"--target={self.pid}", "--mount", "--net", "--ipc", "--uts", *([] if apart else ["--pid"]),
             "--root", "--wd", *(program if privileged else self.image.command(list(program), self._env))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=_end_with_parent,
        )  # fmt: skip

    def run(self, *program: str, privileged: bool = False, timeout: float = 60) -> subprocess.CompletedProcess:
        process = self.start(*program, privileged=privileged)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(program, process.returncode, out, err)

    def check_health(self) -> subprocess.CompletedProcess:
        """Runs the image's HEALTHCHECK once."""
        kind, *command = self.image.config["Healthcheck"]["Test"]
        if kind == "CMD-SHELL":
            command = ["/bin/sh", "-c", *command]
        return self.run(*command, timeout=self.image.config["Healthcheck"]["Timeout"] / 1e9)

    def wait_until_healthy(self, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while True:
            checked = self.check_health()
            if checked.returncode == 0:
                return
            if self._starter.poll() is not None:
                raise RuntimeError(f"the program ended with {self._starter.returncode}:\n{self.err()}")
            if time.monotonic() > end:
                raise RuntimeError(f"not healthy after {seconds} s: {checked.stdout}{checked.stderr}\n{self.err()}")
            time.sleep(0.1)

    def get(self, url: str) -> str:
        """What a GET answers in the container's network."""
        code = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=10).read().decode(), end='')"
        return subprocess.run(
            ["nsenter", f"--target={self.pid}", "--net", shutil.which("python3"), "-c", code],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float) -> int:
        """The program's exit code; 128 and the signal's number when a signal ended it."""
        code = self._starter.wait(timeout)
        return code if code >= 0 else 128 - code

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        if self._starter.poll() is None:
            self.send(signal.SIGKILL)
            self._starter.wait(10)
        self._out.close()
        self._err.close()


def processes_below(root: pathlib.Path) -> list[str]:
    """Names of the processes whose root folder is this one."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "root") == str(root):
                found.append((process / "comm").read_text().strip())
        except OSError:
            pass  # It has ended.
    return found
