"""What bounds a network on this GPU: the card's own ceilings, and each convolution alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from timing import timed


def measure_ceilings(device: str) -> tuple[float, float]:
    """Bytes a second that a copy moves, and FLOP a second of products of large matrices in float32."""
    x = torch.empty(1 << 30, dtype=torch.float32, device=device)
    y = torch.empty_like(x)
    seconds = timed(device, 0.4, lambda: y.copy_(x))
    bytes_per_s, flop_per_s = 2 * 4 * x.numel() / seconds, {}
    print(f"RESULT ceiling what=copy tb_per_s={bytes_per_s / 1e12:.2f}", flush=True)
    del x, y
    size = 8192
    for name, dtype, tf32 in (("float32", torch.float32, False), ("tf32", torch.float32, True), ("float16", torch.float16, False)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        seconds = timed(device, 0.4, lambda: a @ b)
        flop_per_s[name] = 2 * size**3 / seconds
        print(f"RESULT ceiling what=product dtype={name} tflop_per_s={flop_per_s[name] / 1e12:.1f}", flush=True)
    torch.backends.cuda.matmul.allow_tf32 = False
    return bytes_per_s, flop_per_s["float32"]


class Layers:
    """Times each convolution of the network as cuDNN runs it channels last, and in the other ways that ATen has."""

    def __init__(self, tensors: dict, device: str, dtype: torch.dtype, seconds: float):
        self.tensors, self.device, self.dtype, self.seconds = tensors, device, dtype, seconds
        self.sums: dict[tuple[str, str], float] = {}

    def measure(self, windows: int, frames: int, mels: int) -> None:
        shape = self._one("stem", "stem", (windows, 1, frames, mels), 2, 1)
        for number in range(1, 16):
            name = f"b{number}"
            stride = self.tensors[f"{name}.layout"][0]
            if f"{name}.expansion.weight" in self.tensors:
                shape = self._one(f"{name}.expansion", "pointwise", shape, 1, 1)
            shape = self._one(f"{name}.depthwise", "depthwise", shape, stride, shape[1])
            shape = self._one(f"{name}.projection", "pointwise", shape, 1, 1)
        for (kind, way), seconds in sorted(self.sums.items()):
            print(f"RESULT layers dtype={self.dtype} windows={windows} frames={frames} kind={kind} way={way} "
                  f"ms={1e3 * seconds:.3f}", flush=True)  # fmt: skip

    def _one(self, name: str, kind: str, shape, stride: int, groups: int):
        """Returns the shape of its output."""
        weight = self.tensors[f"{name}.weight"].transpose(2, 3).contiguous().to(self.device, self.dtype)
        bias = self.tensors[f"{name}.bias"].to(self.device, self.dtype)
        x = torch.randn(*shape, device=self.device, dtype=self.dtype)
        x_last, weight_last = (t.contiguous(memory_format=torch.channels_last) for t in (x, weight))
        padding = weight.shape[2] // 2
        ways = {"channels_last": lambda: F.conv2d(x_last, weight_last, None, stride, padding, 1, groups)}
        if kind == "depthwise":
            ways["nchw"] = lambda: F.conv2d(x, weight, None, stride, padding, 1, groups)
        if kind == "pointwise":
            matrix = x_last.permute(0, 2, 3, 1).reshape(-1, shape[1])
            ways["product"] = lambda: F.linear(matrix, weight.flatten(1), bias)
        out = ways["channels_last"]()
        moved = (x.numel() + out.numel()) * x.element_size()
        line = f"  {name:14} {str(tuple(shape)):24} {moved / 1e6:8.1f} MB"
        for way, call in ways.items():
            seconds = timed(self.device, self.seconds, call)
            self.sums[kind, way] = self.sums.get((kind, way), 0) + seconds
            line += f"  {way} {1e6 * seconds:.1f} us ({moved / seconds / 1e12:.2f} TB/s)"
        print(line, flush=True)
        return out.shape
