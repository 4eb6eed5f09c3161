#!/usr/bin/env python3
"""What a million clips an hour need, calculated from what docs/performance.md has measured: the tables of docs/scale.md.

    plan.py            prints them; docs/scale.md has the same, as tests/scale/test_scale_page.py checks
"""

from __future__ import annotations

import functools
import math
import pathlib
import re

import autoscaler

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PERFORMANCE = (REPOSITORY / "docs/performance.md").read_text()

CLIPS_PER_HOUR = 1_000_000
CLIP_S, ROWS = 10, 201  # A clip, and the rows of its timestamps.
# Values of a row of mnNN_all_b_mel_avgs: `hearwire configs --format json`.
DIMENSIONS = {"mn01": 184, "mn02": 224, "mn04": 320, "mn05": 368, "mn10": 600, "mn20": 1072, "mn30": 1544, "mn40": 2016}
# Bytes of a second: 16-bit samples at 32 kHz; and Opus as people send it, of which no more than its rate is known.
SAMPLES, OPUS = 64_000, 8_000
# HAProxy's CPU time, with TLS, of a call of 48 kB that has a reply of 45, in a short run on a busy machine. By bytes, for larger ones.
HAPROXY_MS, HAPROXY_BYTES = 0.45, 93_000


def table(name: str) -> list[list[str]]:
    """The rows of the first table below that heading."""
    _, _, below = PERFORMANCE.partition(f"\n### {name}\n")
    assert below, f"docs/performance.md has no heading {name}"
    lines = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def served_more_ms() -> float:
    """What serving a call of 10 s costs beside its embeddings: mn04, 16-bit samples, 8 calls at once."""
    text = re.search(r"^\| mn04 timestamps of 10 s, 16-bit samples, 8 calls at once \| (.*) \|$", PERFORMANCE, re.MULTILINE)[1]
    server, alone = (float(cell.split()[0]) for cell in text.split(" | ")[:2])
    return server - alone


def front_end_ms() -> float:
    """Of 10 s: what the CPUs do where a GPU has the network."""
    text = re.search(r"^\| mn10 timestamps of 10 s, 16-bit samples, 8 calls at once \| (.*) \|$", PERFORMANCE, re.MULTILINE)[1]
    return float(text.split(" | ")[2].split()[0])


def gpu_rate(row: str) -> float:
    """Windows or scenes a second of an H200, first version of the kernels."""
    return float(re.search(rf"^\| {re.escape(row)} \|.* ([\d,]+) \|$", PERFORMANCE, re.MULTILINE)[1].replace(",", ""))


def width_ms() -> dict[str, tuple[float, float]]:
    """CPU ms of a clip in the server: scene, timestamps."""
    return {row[0]: (float(row[4]) + served_more_ms(), float(row[5]) + served_more_ms()) for row in table("Widths")}


def megabits(bytes_per_call: float) -> str:
    return f"{bytes_per_call * CLIPS_PER_HOUR / 3600 * 8 / 1e6:,.0f}"


def cpu_table() -> str:
    lines = ["| network | scene, CPU ms | cores busy | cores at 60 % | timestamps, CPU ms | cores busy | cores at 60 % | "
             "scenes out, Mbit/s | timestamps out, Mbit/s |", "| --- " * 9 + "|"]
    for network, times in width_ms().items():
        cells = [network]
        for ms in times:
            busy = CLIPS_PER_HOUR / 3600 * ms / 1000
            cells += [f"{ms:.1f}", f"{busy:.1f}", str(math.ceil(busy / autoscaler.targets()["hearwire_utilisation"]))]
        cells += [megabits(4 * DIMENSIONS[network]), megabits(4 * DIMENSIONS[network] * ROWS)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def other_table() -> str:
    calls = CLIPS_PER_HOUR / 3600
    scenes, windows = gpu_rate("32 scenes of 10 s"), gpu_rate("3216 (16 timestamps), two workers")
    in_samples, in_opus = CLIP_S * SAMPLES, CLIP_S * OPUS
    balanced = {
        "Opus in, scenes of mn10 out": in_opus + 4 * DIMENSIONS["mn10"],
        "samples in, scenes of mn10 out": in_samples + 4 * DIMENSIONS["mn10"],
        "samples in, timestamps of mn10 out": in_samples + 4 * DIMENSIONS["mn10"] * ROWS,
    }
    rows = [
        ("calls of one clip", f"{calls:.0f} a second"),
        ("in, 16-bit samples at 32 kHz", f"{megabits(in_samples)} Mbit/s"),
        ("in, Opus at 64 kbit/s", f"{megabits(in_opus)} Mbit/s"),
        ("H200, mn10, scenes: busy", f"{calls / scenes:.0%} of one"),
        ("H200, mn10, timestamps: busy", f"{calls * ROWS / windows:.0%} of one"),
        ("cores beside it, for decoding, spectrograms and gRPC", f"{calls * (front_end_ms() + served_more_ms()) / 1000:.1f} busy"),
    ]
    for what, size in balanced.items():
        rows.append((f"HAProxy, {what}", f"{calls * HAPROXY_MS * max(1, size / HAPROXY_BYTES) / 1000:.2f} cores busy"))
    return "\n".join(["| what | of a million clips an hour |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in rows)])


@functools.cache
def page_tables() -> dict[str, str]:
    """By the name of their marker in docs/scale.md."""
    return {"cpu": cpu_table(), "others": other_table(), "autoscaler": autoscaler.table(width_ms()["mn10"][1], CLIPS_PER_HOUR / 3600)}


if __name__ == "__main__":
    for name, text in page_tables().items():
        print(f"<!-- {name} -->\n\n{text}\n")
