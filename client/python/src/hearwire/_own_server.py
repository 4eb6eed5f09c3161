"""A hearwire-server of this process's own, on a free port of 127.0.0.1."""

from __future__ import annotations

import atexit
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Optional

START_SECONDS = 120.0  # Loading, warm-up and self-test of the largest network take a few.
STOP_SECONDS = 10.0
# It has no other client, so a long queue holds nobody else up.
_FLAGS = ("--host=127.0.0.1", "--grpc-port=0", "--metrics-port=0", "--lame-duck=0s", "--max-queue-time=24h")
_PREFIX = "gRPC listening on "


class OwnServer:
    """Runs until `stop`, or until this process ends, by whatever cause."""

    def __init__(self, arguments: Sequence[str], defaults: Optional[Mapping[str, str]] = None):
        """Returns when it serves. Raises RuntimeError with its last words when it does not come to that.

        defaults: its variables, for where this process's environment does not set them.
        """
        self._process: Optional[subprocess.Popen[str]] = None
        self._words: collections.deque[str] = collections.deque(maxlen=20)
        self._started: concurrent.futures.Future[str] = concurrent.futures.Future()
        command = [server_program(), *_FLAGS, *arguments]
        # To the server an empty variable is one that is not set.
        unset = {name: value for name, value in (defaults or {}).items() if not os.environ.get(name)}
        environment = {**os.environ, **unset}
        # The thread outlives the server: the server would end with it.
        self._keeper = threading.Thread(
            target=self._keep, args=(command, environment), name="hearwire-server", daemon=True
        )
        self._keeper.start()
        atexit.register(self.stop)
        try:
            self.address = self._started.result(START_SECONDS)
        except concurrent.futures.TimeoutError:
            self.stop()
            raise RuntimeError(f"{command[0]} did not serve within {START_SECONDS:g} s:\n{self.last_words()}") from None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        return "\n".join(self._words)

    def stop(self) -> None:
        """Lets it answer the calls under way. Does nothing the second time."""
        if self._process is None:
            return
        atexit.unregister(self.stop)
        # In a fork of this process, whose end calls this too, Popen finds no child of its own and does nothing.
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _keep(self, command: list[str], environment: dict[str, str]) -> None:
        launch = str(pathlib.Path(__file__).with_name("_launch.py"))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", launch, str(os.getpid()), *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # Ctrl-C is for the caller, who may go on.
                start_new_session=True,
            )
        except BaseException as error:
            self._started.set_exception(error)
            return
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._words.append(line.rstrip("\n"))
                if line.startswith(_PREFIX) and not self._started.done():
                    self._started.set_result(line[len(_PREFIX) :].strip())
        code = self._process.wait()
        if not self._started.done():
            self._started.set_exception(RuntimeError(f"{command[0]} ended with code {code}:\n{self.last_words()}"))


def server_program() -> str:
    """Raises RuntimeError, saying how to get it, when there is none."""
    named = os.environ.get("HEARWIRE_SERVER_PROGRAM")
    found = shutil.which(named or "hearwire-server")
    if found:
        return os.path.abspath(found)
    if named:
        raise RuntimeError(f"HEARWIRE_SERVER_PROGRAM={named} is no program that can be run")
    with contextlib.suppress(ImportError):
        import hearwire_server

        return str(hearwire_server.program("hearwire-server"))
    raise RuntimeError(
        "there is no Hearwire server: name a running one in HEARWIRE_SERVER (HOST:PORT), or have one of your own: "
        "install the wheel hearwire-server (scripts/wheel makes it), or "
        "build Hearwire (scripts/setup; cmake --preset release && cmake --build --preset release) and put its "
        "hearwire-server on PATH or name it in HEARWIRE_SERVER_PROGRAM"
    )
