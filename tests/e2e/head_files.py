"""Writes heads' files, and computes what a head answers, in NumPy."""

from __future__ import annotations

import json
import math
import pathlib
import struct

import numpy as np


def write_safetensors(path: pathlib.Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    header: dict = {"__metadata__": metadata}
    data = b""
    for name, tensor in tensors.items():
        values = np.ascontiguousarray(tensor, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Head:
    """A random head on a config's embeddings."""

    def __init__(self, config: "pb.Config", sizes: list[int], seed: int = 1, /, **metadata: str):
        """sizes: of the layers' values, the last as many as logits; none of the embedding's."""
        random = np.random.default_rng(seed)
        self.config = config
        sizes = [config.scene_embedding_size, *sizes]
        self.tensors = {
            "mean": random.normal(0, 0.1, sizes[0]).astype(np.float32),
            "scale": random.uniform(0.5, 2, sizes[0]).astype(np.float32),
        }
        for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
            self.tensors[f"{i}.weight"] = random.normal(0, 2 / math.sqrt(inputs), (outputs, inputs)).astype(np.float32)
            self.tensors[f"{i}.bias"] = random.normal(0, 0.1, outputs).astype(np.float32)
        self.metadata = {
            "format": "hearwire.head.v1",
            "config": config.name,
            "kind": "scene",
            "activation": "relu",
            "output": "softmax",
            "labels": json.dumps([f"label {i}" for i in range(sizes[-1])]),
            "weights_sha256": config.space.weights_sha256,
            "frontend": config.space.frontend,
            "precision": config.space.precision,
            **metadata,
        }

    @property
    def labels(self) -> list[str]:
        return json.loads(self.metadata["labels"])

    def write(self, path: pathlib.Path) -> None:
        write_safetensors(path, self.tensors, self.metadata)

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """[rows, d] to [rows, labels], in double precision."""
        x = (embeddings.astype(np.float64) - self.tensors["mean"]) / self.tensors["scale"]
        layers = sum(name.endswith(".weight") for name in self.tensors)
        for i in range(layers):
            x = x @ self.tensors[f"{i}.weight"].astype(np.float64).T + self.tensors[f"{i}.bias"]
            if i + 1 < layers:
                x = {
                    "relu": lambda v: np.maximum(v, 0),
                    "hardswish": lambda v: v * np.clip(v + 3, 0, 6) / 6,
                    "gelu": lambda v: v * (1 + np.vectorize(math.erf)(v / math.sqrt(2))) / 2,
                }[self.metadata["activation"]](x)
        if x.shape[1] == 1 and len(self.labels) == 2:
            return np.concatenate([1 / (1 + np.exp(x)), 1 / (1 + np.exp(-x))], axis=1)
        if self.metadata["output"] == "sigmoid":
            return 1 / (1 + np.exp(-x))
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
