"""What the autoscaler of deploy/kubernetes does under a day's load: its own manifest, and servers as a fluid, second by second.

A server is two cores; it computes what comes up to what they bear, lets at most --max-queue-time (1 s) of work wait, and refuses the rest. The
autoscaler works as Kubernetes' does: every 15 s, on means of the last minute, within its tolerance, policies and windows.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import pathlib
from collections.abc import Callable

import yaml

MANIFEST = pathlib.Path(__file__).resolve().parents[2] / "deploy/kubernetes/autoscaling/autoscaler.yaml"
SPEC = yaml.safe_load(MANIFEST.read_text())["spec"]
DAY_S, SYNC_S, MEAN_S, TOLERANCE = 86_400, 15, 60, 0.1
CORES, QUEUE_S = 2, 1.0
# From the decision to SERVING: a node that is there and has the image; the server itself takes 0.1 s (docs/performance.md).
START_S = 20


def quantity(text: str) -> float:
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def targets() -> dict[str, float]:
    return {m["pods"]["metric"]["name"]: quantity(m["pods"]["target"]["averageValue"]) for m in SPEC["metrics"]}


@dataclasses.dataclass
class Day:
    server_hours: float = 0
    least: int = 10**9
    most: int = 0
    calls: float = 0
    refused: float = 0
    waiting_s: int = 0  # Seconds in which more than 0.1 s of work waited.


def simulate(rate: Callable[[int], float], capacity: float, use: set[str], start: int) -> Day:
    """rate: calls a second at a second of the day; capacity: those of a server; use: the metrics that count."""
    day, serving, backlog = Day(), start, 0.0
    coming: collections.deque[int] = collections.deque()  # When servers that were asked for serve.
    past: collections.deque[tuple[float, float]] = collections.deque(maxlen=MEAN_S)
    wanted: collections.deque[tuple[int, int]] = collections.deque()  # When, and how many.
    numbers: collections.deque[int] = collections.deque(maxlen=60)  # Servers in each second of the last minute, asked for.
    up, down = SPEC["behavior"]["scaleUp"], SPEC["behavior"]["scaleDown"]
    for second in range(-3600, DAY_S):  # An hour to settle in.
        while coming and coming[0] <= second:
            coming.popleft()
            serving += 1
        arriving, bears = rate(second % DAY_S), serving * capacity
        served = min(backlog + arriving, bears)
        refused = max(backlog + arriving - served - bears * QUEUE_S, 0)
        backlog += arriving - served - refused
        past.append((served / bears, backlog / bears))
        numbers.append(serving + len(coming))
        if second >= 0:
            day.server_hours += serving / 3600
            day.least, day.most = min(day.least, serving), max(day.most, serving)
            day.calls += arriving
            day.refused += refused
            day.waiting_s += backlog / bears > 0.1
        if second % SYNC_S:
            continue
        now = serving + len(coming)
        means = dict(zip(("hearwire_utilisation", "hearwire_load_seconds"), (sum(one) / len(past) for one in zip(*past))))
        ratios = [means[name] / target for name, target in targets().items() if name in use]
        # Servers that are not ready do not count in the means, and Kubernetes takes them for idle when it adds more.
        desired = max(math.ceil(serving * ratio) if abs(ratio - 1) > TOLERANCE else now for ratio in ratios)
        wanted.append((second, desired))
        while wanted[0][0] <= second - down["stabilizationWindowSeconds"]:
            wanted.popleft()
        if desired > now:
            most = numbers[0] * (1 + up["policies"][0]["value"] / 100)
            new = min(desired, math.floor(most), SPEC["maxReplicas"])
            coming.extend([second + START_S] * max(new - now, 0))
        elif not coming and (recommended := max(number for _, number in wanted)) < now:
            least = numbers[0] * (1 - down["policies"][0]["value"] / 100)
            serving = max(recommended, math.ceil(least), SPEC["minReplicas"])
    return day


def table(call_ms: float, peak: float) -> str:
    """Days whose highest rate is `peak` calls a second, of calls that cost so much CPU time."""
    capacity = CORES * 1000 / call_ms

    def smooth(second: int) -> float:  # The most at 15:00, the least, an eighth of it, at 3:00.
        return peak * (1 + 7 * ((1 - math.cos(2 * math.pi * (second - 3 * 3600) / DAY_S)) / 2) ** 2) / 8

    def surge(second: int) -> float:  # Three times as many at 8:00, within a minute, for an hour.
        times = min(max((second - 8 * 3600) / 60, 0), 1) if second < 9 * 3600 else 0
        return smooth(second) * (1 + 2 * times)

    both = set(targets())
    lines = ["| day | signal | servers, least to most | server hours | of as many as the most all day | refused | seconds with 0.1 s waiting |",
             "| --- " * 7 + "|"]
    for day_name, rate in (("smooth", smooth), ("with a surge", surge)):
        for signal, use in (("both", both), ("utilisation alone", {"hearwire_utilisation"}), ("load alone", {"hearwire_load_seconds"})):
            day = simulate(rate, capacity, use, start=SPEC["minReplicas"])
            lines.append(f"| {day_name} | {signal} | {day.least} to {day.most} | {day.server_hours:.0f} | "
                         f"{day.server_hours / (24 * day.most):.0%} | {day.refused / day.calls:.3%} | {day.waiting_s} |")
    return "\n".join(lines)
