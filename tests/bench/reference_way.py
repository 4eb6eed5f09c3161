"""The published reference's way of computing embeddings, in PyTorch, written from its description: for every window the
mel bank is built anew, the spectrogram is taken, and the whole network runs, batch-norm not folded, one window at a time.

Also the front end as one would write it with ATen when frames are shared, to compare ours with.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from network_file import BLOCKS, OUTPUTS

RATE, FFT, HOP, MELS, TOP_HZ = 32000, 1024, 320, 128, 15000.0
WINDOW, STEP = 5120, 1600


def mel_bank(mels: int = MELS) -> torch.Tensor:
    """Kaldi's triangles, [mels, bins]; the last bin weighs nothing."""

    def mel(hz):
        return 1127.0 * torch.log(1.0 + hz / 700.0)

    top = mel(torch.tensor(TOP_HZ, dtype=torch.float64))
    delta = top / (mels + 1)
    left = torch.arange(mels, dtype=torch.float64)[:, None] * delta
    bins = mel(torch.arange(FFT // 2, dtype=torch.float64) * RATE / FFT)[None]
    up, down = (bins - left) / delta, (left + 2 * delta - bins) / delta
    bank = torch.clamp(torch.minimum(up, down), min=0.0)
    return nn.functional.pad(bank, (0, 1)).float()


def pre_emphasis(x: torch.Tensor) -> torch.Tensor:
    return x[..., 1:] - 0.97 * x[..., :-1]


def log_mel(power: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    return (torch.log(bank @ power + 1e-5) + 4.5) / 5.0


def spectrogram(x: torch.Tensor) -> torch.Tensor:
    """[1, samples] to [1, mels, frames]."""
    hann = torch.hann_window(800, periodic=False)
    spectrum = torch.stft(
        pre_emphasis(x), FFT, HOP, 800, hann, center=True, pad_mode="reflect", normalized=False, return_complex=True
    )
    return log_mel(torch.view_as_real(spectrum).square().sum(-1), mel_bank())


def padded(clip: torch.Tensor) -> torch.Tensor:
    return nn.functional.pad(clip[None, None], (WINDOW // 2, WINDOW // 2), mode="reflect")[0, 0]


class SharedFrontEnd:
    """All timestamp windows of a clip: inner frames once, the edge frames of each window apart."""

    def __init__(self):
        self.bank = mel_bank()
        self.hann = nn.functional.pad(torch.hann_window(800, periodic=False), (112, 112))

    def frames(self, samples: torch.Tensor) -> torch.Tensor:
        """[n, 1024] to [n, mels]."""
        spectrum = torch.fft.rfft(samples * self.hann)
        power = torch.view_as_real(spectrum).square().sum(-1)
        return (torch.log(power @ self.bank.T + 1e-5) + 4.5) / 5.0

    def __call__(self, clip: torch.Tensor) -> torch.Tensor:
        """[windows, mels, frames]"""
        x = pre_emphasis(padded(clip))
        count = (clip.numel() // STEP) + 1
        windows = x.unfold(0, WINDOW - 1, STEP)[:count]
        half = FFT // 2
        left = nn.functional.pad(windows[:, None, : 3 * half], (half, 0), mode="reflect")[:, 0]
        right = nn.functional.pad(windows[:, None, -3 * half :], (0, half), mode="reflect")[:, 0]
        # Frame t of a window starts at 320 t - 512: 0 and 1 reach over its start, 15 over its end.
        offset = WINDOW - 1 - 3 * half  # Where `right` starts.
        last = HOP * 15 - half - offset
        edges = torch.stack([left[:, :FFT], left[:, HOP : HOP + FFT], right[:, last : last + FFT]], 1)
        own = self.frames(edges.reshape(-1, FFT)).reshape(count, 3, MELS)
        # Frame 2 starts at sample 128; windows start every five hops, so that all inner frames lie on one grid.
        inner = self.frames(x[128:].unfold(0, FFT, HOP)).unfold(0, 13, STEP // HOP)[:count]  # [windows, mels, 13]
        return torch.cat([own[:, :2].transpose(1, 2), inner, own[:, 2:].transpose(1, 2)], 2)


class _Unit(nn.Sequential):
    """A convolution without bias, its batch-norm, and an activation."""

    def __init__(self, tensors, name, stride=1, group=1, activation=None):
        weight = torch.from_numpy(np.array(tensors[f"{name}.weight"]))
        out, inputs, kernel, _ = weight.shape
        convolution = nn.Conv2d(inputs * group, out, kernel, stride, kernel // 2, groups=group, bias=False)
        convolution.weight.data = weight
        norm = nn.BatchNorm2d(out, eps=1e-3)
        norm.running_var.fill_(1 - 1e-3)
        norm.bias.data = torch.from_numpy(np.array(tensors[f"{name}.bias"]))
        super().__init__(convolution, norm, *([activation] if activation else []))


class _SqueezeExcite(nn.Module):
    def __init__(self, tensors, name):
        super().__init__()
        self.layers = nn.ModuleList(_linear(tensors, f"{name}.{layer}") for layer in ("fc1", "fc2"))

    def forward(self, x):
        gate = torch.relu(self.layers[0](x.mean((2, 3))))
        return x * torch.sigmoid(self.layers[1](gate))[:, :, None, None]


def _linear(tensors, name):
    weight = torch.from_numpy(np.array(tensors[f"{name}.weight"]))
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data = weight
    layer.bias.data = torch.from_numpy(np.array(tensors[f"{name}.bias"]))
    return layer


class _Block(nn.Module):
    def __init__(self, tensors, name):
        super().__init__()
        stride, hardswish, self.residual = (int(value) for value in tensors[f"{name}.layout"])

        def activation():
            return nn.Hardswish(inplace=True) if hardswish else nn.ReLU(inplace=True)

        layers = []
        if f"{name}.expansion.weight" in tensors:
            layers.append(_Unit(tensors, f"{name}.expansion", activation=activation()))
        channels = tensors[f"{name}.depthwise.weight"].shape[0]
        layers.append(_Unit(tensors, f"{name}.depthwise", stride, channels, activation()))
        if f"{name}.fc1.weight" in tensors:
            layers.append(_SqueezeExcite(tensors, name))
        layers.append(_Unit(tensors, f"{name}.projection"))
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        y = self.layers(x)
        return y + x if self.residual else y


class ReferenceWay(nn.Module):
    def __init__(self, tensors: dict[str, np.ndarray]):
        super().__init__()
        self.stem = _Unit(tensors, "stem", 2, activation=nn.Hardswish(inplace=True))
        self.blocks = nn.ModuleList(_Block(tensors, f"b{block}") for block in BLOCKS)
        self.last = _Unit(tensors, "last", activation=nn.Hardswish(inplace=True))
        self.head = nn.Sequential(
            _linear(tensors, "hidden"), nn.Hardswish(inplace=True), nn.Dropout(0.2), _linear(tensors, "classes")
        )
        self.eval()

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        """[1, samples] to [1, values]."""
        x = self.stem(spectrogram(window)[:, None])
        pooled = []
        for number, block in enumerate(self.blocks, 1):
            x = block(x)
            if number in OUTPUTS:
                pooled.append(x.mean((2, 3)))
        self.head(self.last(x).mean((2, 3)))
        return torch.cat(pooled, 1)

    def timestamps(self, clip: torch.Tensor) -> torch.Tensor:
        windows = padded(clip).unfold(0, WINDOW, STEP)
        return torch.cat([self(window[None]) for window in windows])

    def scene(self, clip: torch.Tensor) -> torch.Tensor:
        return self(clip[None])
