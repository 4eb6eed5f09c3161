"""Reads the folded weights that bench_worker writes, and makes an ONNX model of them."""

from __future__ import annotations

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BLOCKS = range(1, 16)
OUTPUTS = (5, 11, 13, 15)


def read_network(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Each tensor under its name. A block's layout is [stride, hardswish, residual]."""
    tensors, data, place = {}, path.read_bytes(), 0
    while place < len(data):
        end = data.index(b"\n", place)
        name, *shape = data[place:end].decode().split()
        shape = [int(size) for size in shape]
        place = end + 1
        if name.endswith(".layout"):
            tensors[name] = np.array(shape)
            continue
        count = int(np.prod(shape))
        tensors[name] = np.frombuffer(data, "<f4", count, place).reshape(shape)
        place += 4 * count
    return tensors


class _Graph:
    def __init__(self, tensors: dict[str, np.ndarray]):
        self.tensors, self.nodes, self.constants, self.count = tensors, [], {}, 0

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(self, kind: str, *inputs: str, **attributes) -> str:
        self.count += 1
        output = f"v{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def convolution(self, name: str, x: str, stride: int = 1, group: int = 1) -> str:
        weight = self.tensors[f"{name}.weight"]
        if weight.ndim == 2:
            weight = weight[:, :, None, None]
        kernel = weight.shape[2]
        return self.node(
            "Conv",
            x,
            self.constant(f"{name}.weight", weight),
            self.constant(f"{name}.bias", self.tensors[f"{name}.bias"]),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
            group=group,
        )

    def block(self, name: str, x: str) -> str:
        stride, hardswish, residual = (int(value) for value in self.tensors[f"{name}.layout"])
        activation = "HardSwish" if hardswish else "Relu"
        y = x
        if f"{name}.expansion.weight" in self.tensors:
            y = self.node(activation, self.convolution(f"{name}.expansion", y))
        channels = self.tensors[f"{name}.depthwise.weight"].shape[0]
        y = self.node(activation, self.convolution(f"{name}.depthwise", y, stride, channels))
        if f"{name}.fc1.weight" in self.tensors:
            gate = self.node("Relu", self.convolution(f"{name}.fc1", self.node("GlobalAveragePool", y)))
            y = self.node("Mul", y, self.node("Sigmoid", self.convolution(f"{name}.fc2", gate)))
        y = self.convolution(f"{name}.projection", y)
        return self.node("Add", y, x) if residual else y


def make_onnx(tensors: dict[str, np.ndarray]) -> onnx.ModelProto:
    """From [windows, 1, mels, frames] to the pooled blocks 5, 11, 13 and 15, [windows, channels]. Batch-norm is folded."""
    graph = _Graph(tensors)
    x = graph.node("HardSwish", graph.convolution("stem", "x", 2))
    pooled = []
    for block in BLOCKS:
        x = graph.block(f"b{block}", x)
        if block in OUTPUTS:
            pooled.append(graph.node("Flatten", graph.node("GlobalAveragePool", x)))
    graph.nodes.append(helper.make_node("Concat", pooled, ["y"], axis=1))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "body",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["windows", 1, "mels", "frames"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["windows", "values"])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.checker.check_model(model)
    return model
