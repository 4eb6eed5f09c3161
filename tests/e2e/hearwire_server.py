"""A real hearwire-server on free ports of 127.0.0.1, and a client made from nothing but the proto."""

from __future__ import annotations

import contextlib
import importlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence

import grpc
import numpy as np
from grpc_tools import protoc

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HEARWIRE_BIN", REPOSITORY / "build/dev/bin"))
# Programs under a sanitizer start and run several times slower.
PATIENCE = 10 if os.environ.get("HEARWIRE_SANITIZE") else 1


def _generate() -> str:
    """Compiles the protos into a folder of their own and puts it on the import path."""
    folder = tempfile.mkdtemp(prefix="hearwire-proto-")
    proto = REPOSITORY / "proto"
    code = protoc.main(
        ["protoc", f"-I{proto}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
        + ["hearwire/v1/embedding.proto", "hearwire/admin/v1/admin.proto", "inference/open_inference.proto"]
    )
    assert code == 0, "protoc refused the proto"
    sys.path.insert(0, folder)
    return folder


_generate()
pb = importlib.import_module("hearwire.v1.embedding_pb2")
pb_grpc = importlib.import_module("hearwire.v1.embedding_pb2_grpc")
admin_pb = importlib.import_module("hearwire.admin.v1.admin_pb2")
admin_pb_grpc = importlib.import_module("hearwire.admin.v1.admin_pb2_grpc")
inference_pb = importlib.import_module("inference.open_inference_pb2")
inference_pb_grpc = importlib.import_module("inference.open_inference_pb2_grpc")

MESSAGE_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def shared_folder() -> pathlib.Path | None:
    """The folder of golden data, or None when it is absent."""
    folder = pathlib.Path(os.environ.get("HEARWIRE_SHARED") or REPOSITORY.parent / "shared")
    if (folder / "golden/configs.csv").exists():
        return folder
    assert os.environ.get("HEARWIRE_REQUIRE_SHARED") != "1", f"golden data is required, but {folder} has none"
    return None


class Server:
    """Runs hearwire-server until `stop` or the end of a with block."""

    def __init__(
        self,
        *flags: str,
        env: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        program: pathlib.Path = BIN / "hearwire-server",
        on_start: Callable[[subprocess.Popen], None] | None = None,
    ):
        """prefix: a command that becomes the server, such as taskset -c 0. on_start: called before it serves."""
        command = [*prefix, str(program), "--grpc-port=0", "--metrics-port=0", "--lame-duck=0s", *flags]
        # Appending: the server writes by the same open file, and else where `log` has left off reading.
        self._errors = tempfile.TemporaryFile(mode="a+")
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self.lines: list[str] = []
        if on_start is not None:
            on_start(self.process)
        self.address = self._wait_for("gRPC listening on ")
        self.metrics_address = self._wait_for("metrics listening on ")
        # Nobody reads on: keep the pipe from filling.
        threading.Thread(target=self._drain, daemon=True).start()
        self.channel = grpc.insecure_channel(self.address, options=MESSAGE_OPTIONS)
        self.stub = pb_grpc.EmbeddingServiceStub(self.channel)

    def _wait_for(self, prefix: str) -> str:
        while True:
            for line in self.lines:
                if line.startswith(prefix):
                    return line.removeprefix(prefix).strip()
            line = self.process.stdout.readline()
            if not line:
                self.process.wait()
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log()}")
            self.lines.append(line)

    def _drain(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)

    def log(self) -> str:
        self._errors.flush()
        self._errors.seek(0)
        return self._errors.read()

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics", timeout=10 * PATIENCE) as reply:
            return reply.read().decode()

    def metric(self, name: str, absent: float | None = None, **labels: str) -> float:
        """The sum of a metric over all its label sets that have these labels. absent: what it is where there are none yet."""
        total = absent
        for line in self.metrics().splitlines():
            match = re.match(r"([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)$", line)
            if not match or match.group(1) != name:
                continue
            found = dict(re.findall(r'(\w+)="([^"]*)"', match.group(2) or ""))
            if all(found.get(key) == value for key, value in labels.items()):
                total = (total or 0.0) + float(match.group(3))
        assert total is not None, f"no metric {name} with {labels}"
        return total

    def stop(self, timeout: float = 30) -> int:
        """Sends SIGTERM and returns the exit code."""
        self.channel.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        code = self.stop()
        assert code == 0, f"the server ended with {code}:\n{self.log()}"


def pcm(samples: np.ndarray, rate: int = 32000, channels: int = 1) -> "pb.Audio":
    samples = np.ascontiguousarray(samples, dtype="<f4")
    return pb.Audio(
        pcm=pb.Pcm(
            encoding=pb.Pcm.ENCODING_FLOAT32, sample_rate_hertz=rate, channel_count=channels, samples=samples.tobytes()
        )
    )


def pcm16(samples: np.ndarray, rate: int = 32000) -> "pb.Audio":
    """Of samples from -1 to 1."""
    values = np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2")
    return pb.Audio(
        pcm=pb.Pcm(encoding=pb.Pcm.ENCODING_LINEAR16, sample_rate_hertz=rate, channel_count=1, samples=values.tobytes())
    )


def array(matrix: "pb.Matrix") -> np.ndarray:
    kinds = {pb.ELEMENT_TYPE_FLOAT32: "<f4", pb.ELEMENT_TYPE_FLOAT16: "<f2"}
    values = np.frombuffer(matrix.data, dtype=kinds[matrix.element_type])
    return values.reshape(matrix.rows, matrix.columns)


def chirp(seconds: float, low: float = 80, high: float = 12000, rate: int = 32000) -> np.ndarray:
    """A logarithmic sweep, float32."""
    t = np.arange(int(seconds * rate)) / rate
    k = np.log(high / low)
    return (0.5 * np.sin(2 * np.pi * low * seconds / k * (np.exp(t / seconds * k) - 1))).astype(np.float32)


@contextlib.contextmanager
def open_folder() -> Iterator[pathlib.Path]:
    """Which other users reach; none of pytest's own, which are for one user."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


def wait_until(condition, seconds: float = 10, what: str = "the condition") -> None:
    end = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what} did not come within {seconds * PATIENCE} s"
        time.sleep(0.01)
