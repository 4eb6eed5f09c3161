"""How long calls take, by CUDA's events or, on the CPU, by the clock."""

from __future__ import annotations

import statistics
import time

import torch


def timed(device: str, seconds: float, call) -> float:
    """Median seconds of a call."""
    if device == "cpu":
        call()
        times, begin = [], time.perf_counter()
        while not times or time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        return statistics.median(times)
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    times, begin = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < seconds:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times)


def captured(call, x: torch.Tensor):
    """A CUDA graph of call(x), as a function that runs it again and returns its output. x stays where it is."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = call(x)

    def replay():
        graph.replay()
        return out

    return replay
