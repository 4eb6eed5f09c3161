"""Streams of random formats, lengths and cuttings equal unary calls: tests/bench/stream_cuttings.py, in small."""

from __future__ import annotations

import pathlib
import sys

import hearwire_server

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

import stream_cuttings


def test_streams_equal_their_clips_bit_for_bit(shared: pathlib.Path, tmp_path: pathlib.Path) -> None:
    stream_cuttings.link_checkpoints(shared / "golden", tmp_path)
    with hearwire_server.Server("--device=cpu", f"--model-repository={tmp_path}") as server:
        met = stream_cuttings.run(hearwire_server, server, count=60, seed=7)
    assert len(met) == 70, "69 configs of the reference, and the program's own"
    assert met.total() == 60
