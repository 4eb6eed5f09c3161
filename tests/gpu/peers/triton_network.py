"""The network on the prototype of own kernels: two Triton kernels with all else fused in."""

from __future__ import annotations

import torch
import torch.nn.functional as F
import triton
from network import READ
from triton_kernels import depthwise, pointwise


def _power_of_two(least: int) -> int:
    return 1 << (max(1, least) - 1).bit_length()


def _run_pointwise(x, layer, activation, precision, scale=None, residual=None):
    images, time, mels, terms = x.shape
    weight, bias = layer
    channels, rows = weight.shape[1], images * time * mels
    y = torch.empty((images, time, mels, channels), device=x.device, dtype=x.dtype)
    bm, bn = (128 if rows >= 16384 else 64), min(64, max(16, _power_of_two(channels)))
    pointwise[(triton.cdiv(rows, bm), triton.cdiv(channels, bn))](
        x, weight, bias, x if scale is None else scale, x if residual is None else residual, y,
        rows, time * mels, terms, channels, ACTIVATION=activation, SCALE=scale is not None,
        RESIDUAL=residual is not None, BM=bm, BN=bn, BK=min(32, max(16, _power_of_two(terms))), PRECISION=precision,
        num_warps=4,
    )  # fmt: skip
    return y


def _run_depthwise(x, layer, stride, activation):
    images, time, mels, channels = x.shape
    weight, bias, kernel = layer
    time_out, mels_out = (time + stride - 1) // stride, (mels + stride - 1) // stride
    y = torch.empty((images, time_out, mels_out, channels), device=x.device, dtype=x.dtype)
    bc = min(64, _power_of_two(channels))
    bp, total = max(16, 1024 // bc), images * time_out * mels_out
    depthwise[(triton.cdiv(total, bp), triton.cdiv(channels, bc))](
        x, weight, bias, y, time, mels, time_out, mels_out, channels, total,
        ACTIVATION=activation, KERNEL=kernel, STRIDE=stride, BP=bp, BC=bc, num_warps=4,
    )  # fmt: skip
    return y


class TritonNetwork:
    """precision: of products, as Triton names them: "ieee", "tf32" or "tf32x3"."""

    def __init__(self, tensors: dict, dtype: torch.dtype, device: str, precision: str):
        self.dtype, self.precision = dtype, precision

        def put(tensor):
            return tensor.to(device, dtype).contiguous()

        def product(name):
            return put(tensors[f"{name}.weight"].flatten(1).t()), put(tensors[f"{name}.bias"])

        def taps(name):
            weight = tensors[f"{name}.weight"]
            return put(weight.transpose(2, 3).flatten(1).t()), put(tensors[f"{name}.bias"]), weight.shape[2]

        def linear(name):
            return put(tensors[f"{name}.weight"]), put(tensors[f"{name}.bias"])

        stem = tensors["stem.weight"].transpose(2, 3).contiguous().to(device, dtype)
        self.stem = (stem.contiguous(memory_format=torch.channels_last), put(tensors["stem.bias"]))
        self.blocks = []
        for number in range(1, max(READ) + 1):
            name = f"b{number}"
            stride, hardswish, residual = tensors[f"{name}.layout"]
            self.blocks.append((
                number, stride, 2 if hardswish else 1, residual,
                product(f"{name}.expansion") if f"{name}.expansion.weight" in tensors else None,
                taps(f"{name}.depthwise"), product(f"{name}.projection"),
                (linear(f"{name}.fc1"), linear(f"{name}.fc2")) if f"{name}.fc1.weight" in tensors else None,
            ))  # fmt: skip

    def __call__(self, windows):
        """As network.Network's forward."""
        x = windows.to(self.dtype).unsqueeze(3).permute(0, 3, 1, 2)
        x = F.hardswish(F.conv2d(x, *self.stem, stride=2, padding=1)).permute(0, 2, 3, 1).contiguous()
        rows = []
        for number, stride, activation, residual, expansion, taps, projection, squeeze in self.blocks:
            y = x if expansion is None else _run_pointwise(x, expansion, activation, self.precision)
            y = _run_depthwise(y, taps, stride, activation)
            scale = None
            if squeeze:
                scale = torch.sigmoid(F.linear(F.relu(F.linear(y.mean((1, 2)), *squeeze[0])), *squeeze[1]))
            x = _run_pointwise(y, projection, 0, self.precision, scale, x if residual else None)
            if number in READ:
                rows.append(x.mean((1, 2), dtype=torch.float32))
        return torch.cat(rows, 1)
