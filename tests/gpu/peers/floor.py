"""The least time that a network can take on a card: bytes that must move, and multiplications that must be made."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Work:
    """Of one window. Elements that are read and written in memory, by how much is fused."""

    multiply_adds: int = 0
    unfused: int = 0  # Bias, activation, scale and residual are passes of their own.
    by_layer: int = 0  # A convolution with all that follows it is one pass; it makes the pooled sums, too.
    expansion_and_depthwise: int = 0  # Besides, the map between these two is never written.


def work_of(tensors: dict, frames: int, mels: int) -> Work:
    """Of the stem and the blocks, for windows of `frames` frames. Weights are not counted: they stay in the cache."""
    work = Work()

    def halved(size: int, stride: int) -> int:
        return (size + stride - 1) // stride

    time, mels = halved(frames, 2), halved(mels, 2)
    channels = len(tensors["stem.bias"])
    into, out = frames * mels * 2, time * mels * channels
    work.multiply_adds += out * 9
    work.unfused += into + 5 * out
    work.by_layer += into + out
    work.expansion_and_depthwise += into + out
    number = 1
    while f"b{number}.layout" in tensors:
        name = f"b{number}"
        stride, _, residual = tensors[f"{name}.layout"]
        taps = tensors[f"{name}.depthwise.weight"]
        expanded, channels_out = len(taps), len(tensors[f"{name}.projection.bias"])
        into, inner = time * mels * channels, time * mels * expanded
        expands = f"{name}.expansion.weight" in tensors
        if expands:
            work.multiply_adds += inner * channels
            work.unfused += into + 5 * inner
            work.by_layer += into + inner
        time, mels = halved(time, stride), halved(mels, stride)
        filtered, out = time * mels * expanded, time * mels * channels_out
        work.multiply_adds += filtered * taps.shape[2] * taps.shape[3] + filtered * channels_out
        read = inner if expands else into
        work.unfused += read + 5 * filtered + filtered + 3 * out
        work.by_layer += read + filtered + filtered + out
        work.expansion_and_depthwise += into + filtered + filtered + out
        if f"{name}.fc1.weight" in tensors:
            work.multiply_adds += 2 * tensors[f"{name}.fc1.weight"].numel()
            work.unfused += 3 * filtered
        if residual:
            work.unfused += 3 * out
            work.by_layer += out
            work.expansion_and_depthwise += out
        channels = channels_out
        number += 1
    return work


def print_floors(tensors: dict, windows: int, bytes_per_s: float, flop_per_s: float) -> None:
    """At what the card was measured to move and to multiply in float32."""
    _, frames, mels = tensors["check.windows"].shape
    work = work_of(tensors, frames, mels)
    name = f"frames={frames} windows={windows}"
    print(f"RESULT floor {name} of=float32_arithmetic us={1e6 * windows * 2 * work.multiply_adds / flop_per_s:.0f}")
    for way in ("unfused", "by_layer", "expansion_and_depthwise"):
        for size, dtype in ((4, "float32"), (2, "float16")):
            print(f"RESULT floor {name} of=bytes fused={way} dtype={dtype} "
                  f"us={1e6 * windows * size * getattr(work, way) / bytes_per_s:.0f}", flush=True)  # fmt: skip
