"""The Python package as a program of its own that keeps calling: its modules and this process's stubs have one name."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from grpc_tools import protoc

from hearwire_server import REPOSITORY

# Calls until a line comes, ten a second and caller; prints what became of them as JSON.
LOAD = """
import asyncio, json, sys, threading, time
import numpy as np, hearwire
kind, server, callers = sys.argv[1], sys.argv[2], int(sys.argv[3])
clip = (0.1 * np.sin(np.arange(32000) * 0.1)).astype(np.float32)
stop, calls, failures = threading.Event(), [], []
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
def note(begin, error=None):
    calls.append(time.monotonic() - begin)
    if error is not None:
        failures.append(str(error))
if kind == "Client":
    with hearwire.Client(server) as client:
        def call():
            while not stop.is_set():
                begin = time.monotonic()
                try:
                    note(begin, None if client.get_tags([clip], top_k=1, sample_rate=32000) else None)
                except hearwire.HearwireError as error:
                    note(begin, error)
                stop.wait(0.1)
        threads = [threading.Thread(target=call) for _ in range(callers)]
        for one in threads: one.start()
        print("calling", flush=True)
        for one in threads: one.join()
else:
    async def main():
        async with hearwire.AsyncClient(server) as client:
            async def call():
                while not stop.is_set():
                    begin = time.monotonic()
                    try:
                        await client.get_tags([clip], top_k=1, sample_rate=32000)
                        note(begin)
                    except hearwire.HearwireError as error:
                        note(begin, error)
                    await asyncio.sleep(0.1)
            print("calling", flush=True)
            await asyncio.gather(*(call() for _ in range(callers)))
    asyncio.run(main())
print(json.dumps({"calls": len(calls), "failures": failures, "longest": max(calls, default=0)}))
"""


def package() -> str:
    """A folder to import hearwire from: the package's modules, and stubs beside them. It goes with the process's end."""
    folder = tempfile.TemporaryDirectory(prefix="hearwire-package-")
    _kept.append(folder)
    out = pathlib.Path(folder.name)
    shutil.copytree(REPOSITORY / "client/python/src/hearwire", out / "hearwire")
    words = ["protoc", f"-I{REPOSITORY / 'proto'}", f"--python_out={out}", f"--grpc_python_out={out}"]
    assert protoc.main([*words, "hearwire/v1/embedding.proto", "hearwire/admin/v1/admin.proto"]) == 0
    (out / "hearwire/v1/__init__.py").touch()
    return str(out)


_kept: list[tempfile.TemporaryDirectory] = []


class PythonLoad:
    """hearwire.Client or hearwire.AsyncClient, calling all the time until `stop`."""

    def __init__(self, kind: str, server: str, env: dict[str, str] | None = None, callers: int = 2):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HEARWIRE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOAD, kind, server, str(callers)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**clean, "PYTHONPATH": package(), **(env or {})})
        line = self._process.stdout.readline()
        assert line == "calling\n", line

    def stop(self) -> dict:
        """calls, failures (their words), longest (seconds)."""
        said, _ = self._process.communicate("stop\n", timeout=120)
        return json.loads(said)
