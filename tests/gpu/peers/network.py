"""The network as PyTorch's users would write it, on the folded weights that `gpu_probe network` wrote."""

from __future__ import annotations

import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

# Blocks whose maps are averaged into the row, as gpu_probe's readout has them.
READ = (5, 11, 13, 15)


def read_network(path: pathlib.Path) -> dict:
    """Tensors under their names; a block's layout is [stride, hardswish, residual]."""
    data, place, tensors = path.read_bytes(), 0, {}
    while place < len(data):
        end = data.index(b"\n", place)
        name, *shape = data[place:end].decode().split()
        shape = [int(size) for size in shape]
        place = end + 1
        if name.endswith(".layout"):
            tensors[name] = shape
            continue
        count = math.prod(shape)
        tensors[name] = torch.from_numpy(np.frombuffer(data, "<f4", count, place).reshape(shape).copy())
        place += 4 * count
    return tensors


class Network(torch.nn.Module):
    """Maps are [windows, channels, time, mels], channels last, as in models/torch.

    pointwise: "conv", as a convolution; "linear", as a product of matrices.
    """

    def __init__(self, tensors: dict, dtype: torch.dtype, device: str, pointwise: str):
        super().__init__()
        self.dtype, self.pointwise_as = dtype, pointwise

        def convolution(name):
            weight = tensors[f"{name}.weight"].transpose(2, 3).contiguous().to(device, dtype)
            return weight.contiguous(memory_format=torch.channels_last), tensors[f"{name}.bias"].to(device, dtype)

        def linear(name):
            return tensors[f"{name}.weight"].to(device, dtype), tensors[f"{name}.bias"].to(device, dtype)

        self.stem = convolution("stem")
        self.blocks = []
        for number in range(1, max(READ) + 1):
            name = f"b{number}"
            stride, hardswish, residual = tensors[f"{name}.layout"]
            self.blocks.append({
                "number": number, "stride": stride, "residual": residual,
                "activation": F.hardswish if hardswish else F.relu,
                "expansion": convolution(f"{name}.expansion") if f"{name}.expansion.weight" in tensors else None,
                "depthwise": convolution(f"{name}.depthwise"), "projection": convolution(f"{name}.projection"),
                "squeeze": (linear(f"{name}.fc1"), linear(f"{name}.fc2")) if f"{name}.fc1.weight" in tensors else None,
            })  # fmt: skip

    def pointwise(self, x, layer):
        weight, bias = layer
        if self.pointwise_as == "conv":
            return F.conv2d(x, weight, bias)
        # Channels last lie as a matrix already.
        return F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)

    def forward(self, windows):
        """windows: [windows, frames, mels], float32. Rows: [windows, values], float32."""
        x = windows.to(self.dtype).unsqueeze(3).permute(0, 3, 1, 2)
        x = F.hardswish(F.conv2d(x, *self.stem, stride=2, padding=1))
        rows = []
        for block in self.blocks:
            activation = block["activation"]
            y = x if block["expansion"] is None else activation(self.pointwise(x, block["expansion"]))
            weight, bias = block["depthwise"]
            y = activation(F.conv2d(y, weight, bias, block["stride"], weight.shape[2] // 2, groups=weight.shape[0]))
            if block["squeeze"]:
                scale = F.relu(F.linear(y.mean((2, 3)), *block["squeeze"][0]))
                y = y * torch.sigmoid(F.linear(scale, *block["squeeze"][1]))[:, :, None, None]
            y = self.pointwise(y, block["projection"])
            x = x + y if block["residual"] else y
            if block["number"] in READ:
                rows.append(x.mean((2, 3), dtype=torch.float32))
        return torch.cat(rows, 1)
