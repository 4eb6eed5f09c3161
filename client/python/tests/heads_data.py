"""Heads, rows and sounds for the tests of hearwire.heads."""

import json
import wave

import numpy as np

from hearwire import EmbeddingSpace
from hearwire.heads.head import Head, Layer, float32

SPACE = EmbeddingSpace("hearwire_mn01_all_b_mel_avgs", "ab" * 32, "1", "float32")


def layers(*widths, seed=0):
    """widths: of the input and of what each layer makes of it."""
    random = np.random.default_rng(seed)
    return tuple(
        Layer(float32(random.normal(size=(outputs, inputs))), float32(random.normal(size=outputs)))
        for inputs, outputs in zip(widths, widths[1:])
    )


def head(**changes):
    parts = {
        "space": SPACE,
        "kind": "scene",
        "labels": ("dog", "rain", "sea"),
        "output": "softmax",
        "layers": layers(5, 3),
        "mean": float32([1, 2, 3, 4, 5]),
        "scale": float32([1, 1, 2, 2, 4]),
    }
    return Head(**{**parts, **changes})


def read_head(path):
    """A file's tensors and its metadata."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    words = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        first, behind = entry["data_offsets"]
        assert entry["dtype"] == "F32"
        tensors[name] = np.frombuffer(content[end + first : end + behind], "<f4").reshape(entry["shape"])
    return tensors, words


def write_sound(path, kind, seed, seconds=0.5, rate=16000):
    """kind: "noise", "tone" or "clicks", each of which a small network tells from the others."""
    random = np.random.default_rng(seed)
    count = int(seconds * rate)
    samples = {
        "noise": random.normal(0, 0.2, count),
        "tone": 0.5 * np.sin(2 * np.pi * random.uniform(400, 800) * np.arange(count) / rate),
        "clicks": 0.8 * (np.arange(count) % int(random.uniform(1500, 2500)) < 20),
    }[kind]
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path
