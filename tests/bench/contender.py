"""Runs workloads on one of the engines that Hearwire is compared with. Driven by compare.py, as bench_worker is.

    contender.py onnxruntime|openvino|openvino_default|pytorch FOLDER MODE

FOLDER: where compare.py puts the sound, the networks and the windows. MODE: "1" one thread, "2" one session with two
threads, "1x2" two sessions with one thread each. openvino_default:
without the hint that keeps it to float32. A command a line, answered by a line:

    rows WIDTH WORKLOAD FILE      writes the rows, raw float32
    run WIDTH WORKLOAD BATCH PART runs it once: seconds, CPU seconds
    sgemm LIBRARY | copy | frames runs that once: seconds, CPU seconds. sgemm: in each session, four times
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import queue
import sys
import threading
import time

KIND, FOLDER, MODE = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
THREADS = 2 if MODE == "2" else 1
SESSIONS = 2 if MODE == "1x2" else 1
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(THREADS)

import numpy as np

from network_file import make_onnx, read_network
from workloads import inputs_of

MATRIX = 1024
PAUSE = 0.002  # Whoever wrote the command goes to sleep first: it would keep a CPU from two threads as they wake.


@contextlib.contextmanager
def on_cpu(number: int):
    """The calling thread on one of this process's CPUs, as Hearwire's workers are."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[number % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def in_threads(work):
    """work(0) and, with two sessions, work(1), each on a thread and a CPU of its own."""

    def run(number):
        with on_cpu(number):
            work(number)

    others = [threading.Thread(target=run, args=(number,)) for number in range(1, SESSIONS)]
    for thread in others:
        thread.start()
    run(0) if others else work(0)
    for thread in others:
        thread.join()


class OnnxRuntime:
    def __init__(self, model: bytes):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if THREADS == 2:  # The other thread of the pool; the caller is on the first CPU. It counts from 1.
            options.add_session_config_entry("session.intra_op_thread_affinities", str(sorted(os.sched_getaffinity(0))[1] + 1))
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.session.run(None, {"x": x})[0]


class OpenVino:
    """A compiled model for each shape, as its documentation advises; its streams stand for sessions."""

    def __init__(self, model: bytes):
        import openvino

        self.core, self.model, self.requests = openvino.Core(), model, {}

    def requests_for(self, shape: tuple[int, ...]) -> list:
        if shape not in self.requests:
            model = self.core.read_model(self.model)
            model.reshape(list(shape))
            settings = {
                "INFERENCE_NUM_THREADS": THREADS * SESSIONS,
                "NUM_STREAMS": SESSIONS,
                "ENABLE_CPU_PINNING": THREADS * SESSIONS > 1,
            }
            if KIND == "openvino":
                settings["INFERENCE_PRECISION_HINT"] = "f32"
            compiled = self.core.compile_model(model, "CPU", settings)
            self.requests[shape] = [compiled.create_infer_request() for _ in range(SESSIONS)]
        return self.requests[shape]

    def run(self, batches: list[np.ndarray]) -> list[np.ndarray]:
        results = [None] * len(batches)
        running: list = []  # (request, place), the oldest first.

        def finish():
            request, place = running.pop(0)
            request.wait()
            results[place] = request.get_output_tensor().data.copy()

        for place, batch in enumerate(batches):
            if len(running) == SESSIONS:
                finish()
            busy = {id(request) for request, _ in running}
            request = next(one for one in self.requests_for(batch.shape) if id(one) not in busy)
            request.start_async([batch], share_inputs=True)
            running.append((request, place))
        while running:
            finish()
        return results


class OnnxRuntimes:
    """Sessions that share a list of batches."""

    def __init__(self, model: bytes):
        self.sessions = [OnnxRuntime(model) for _ in range(SESSIONS)]

    def run(self, batches: list[np.ndarray]) -> list[np.ndarray]:
        if len(self.sessions) == 1:
            if THREADS == 1:
                return [self.sessions[0](batch) for batch in batches]
            with on_cpu(0):
                return [self.sessions[0](batch) for batch in batches]
        results, waiting = [None] * len(batches), queue.SimpleQueue()
        for item in enumerate(batches):
            waiting.put(item)

        def work(number):
            while True:
                try:
                    place, batch = waiting.get_nowait()
                except queue.Empty:
                    return
                results[place] = self.sessions[number](batch)

        in_threads(work)
        return results


class Contender:
    def __init__(self):
        self.sound = np.fromfile(FOLDER / "sound", "<f4")
        self.engines, self.matrices = {}, None
        if KIND == "pytorch":
            import torch

            torch.set_num_threads(THREADS)
            torch.set_grad_enabled(False)
            self.clip = torch.from_numpy(self.sound[:320000].copy())

    def engine(self, width: str):
        if width not in self.engines:
            if KIND == "pytorch":
                from reference_way import ReferenceWay

                self.engines[width] = ReferenceWay(read_network(FOLDER / f"network-{width}"))
            else:
                model = make_onnx(read_network(FOLDER / f"network-{width}")).SerializeToString()
                self.engines[width] = (OnnxRuntimes if KIND == "onnxruntime" else OpenVino)(model)
        return self.engines[width]

    def prepare(self, width: str, workload: str, batch: int):
        engine = self.engine(width)
        if KIND == "pytorch":
            samples = 32000 if workload == "scene1" else 320000
            way = engine.timestamps if workload.startswith("timestamps") else engine.scene
            return lambda: [way(self.clip[:samples]).numpy()]
        batches = inputs_of(FOLDER, workload, batch)
        return lambda: engine.run(batches)

    def tool(self, name: str, library: str = ""):
        if self.matrices is None:
            generator = np.random.default_rng(1)
            self.matrices = [[generator.standard_normal((MATRIX, MATRIX), np.float32) for _ in range(3)]
                             for _ in range(SESSIONS)]
            self.buffers = [np.ones(1 << 26, np.float32), np.zeros(1 << 26, np.float32)]
        if name == "copy":
            return lambda: np.copyto(self.buffers[1], self.buffers[0])
        if name == "sgemm" and library == "numpy":
            def multiply(number):
                a, b, c = self.matrices[number]
                for _ in range(4):
                    np.matmul(a, b, out=c)

            return lambda: in_threads(multiply)
        import torch

        if name == "frames":
            from reference_way import SharedFrontEnd

            if not hasattr(self, "front_end"):
                self.front_end = SharedFrontEnd()
            return lambda: self.front_end(self.clip)

        def multiply(number):
            x, y, z = map(torch.from_numpy, self.matrices[number])
            for _ in range(4):
                torch.mm(x, y, out=z)

        return lambda: in_threads(multiply)

    def answer(self, command: str, *words: str) -> str:
        if command == "rows":
            rows = self.prepare(words[0], words[1], 64)()
            np.concatenate([row.ravel() for row in rows]).astype("<f4").tofile(words[2])
            return "ok"
        run = self.prepare(words[0], words[1], int(words[2])) if command == "run" else self.tool(command, *words)
        time.sleep(PAUSE)
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        return f"{time.perf_counter() - wall:.9f} {time.process_time() - cpu:.9f}"


def main() -> None:
    contender = Contender()
    for line in sys.stdin:
        print(contender.answer(*line.split()), flush=True)


if __name__ == "__main__":
    main()
