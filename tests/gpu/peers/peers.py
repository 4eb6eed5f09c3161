"""Peers of Hearwire's CUDA path: the same weights in PyTorch, and a prototype of own kernels in Triton.

    peers.py FILE VARIANT … [--cases float32:201,float32:1024] [--seconds 0.5] [--benchmark] [--device cuda|cpu]

FILE: what `gpu_probe network` wrote. VARIANT: eager, linear (1 x 1 convolutions as products), compile, triton, each also
with -graph: as a CUDA graph. Besides: layers; ceilings, of the card, and with them the least time that the first case's
windows can take. A case is a type and a number of windows. --benchmark: cuDNN times its plans, which took 4.5 s a case on
an H100. Every variant's rows are compared with those of the native backend, which the file has, for each number
of windows, before it is timed. One that is too far off is not timed and fails the run.
"""

from __future__ import annotations

import argparse
import math
import pathlib
import sys
import time

import torch
from floor import print_floors
from layers import Layers, measure_ceilings
from network import Network, read_network
from timing import captured, timed

# PyTorch's type, Triton's precision of products, the largest error that is accepted.
DTYPES = {
    "float32": (torch.float32, "ieee", 1e-4),
    "tf32x3": (torch.float32, "tf32x3", 1e-4),
    "tf32": (torch.float32, "tf32", 1e-2),
    "float16": (torch.float16, "ieee", 2e-2),
}


def make(variant: str, tensors: dict, dtype_name: str, given: argparse.Namespace):
    dtype, precision, _ = DTYPES[dtype_name]
    kind = variant.removesuffix("-graph")
    if kind == "triton":
        from triton_network import TritonNetwork

        return TritonNetwork(tensors, dtype, given.device, precision)
    network = Network(tensors, dtype, given.device, "linear" if kind == "linear" else "conv")
    if kind == "compile":
        return torch.compile(network, mode=given.compile_mode, dynamic=False)
    return network


def error_of(rows: torch.Tensor, wanted: torch.Tensor) -> float:
    """In units of the largest value or 1, whichever is larger; infinite where a value is not a number."""
    error = ((rows - wanted).abs().max() / wanted.abs().max().clamp(min=1)).item()
    return error if math.isfinite(error) else math.inf


def measure(variant: str, dtype_name: str, counts: list[int], tensors: dict, given: argparse.Namespace) -> bool:
    """False: its rows are wrong, or it does not run."""
    check, wanted = tensors["check.windows"], tensors["check.rows"]
    tolerance = DTYPES[dtype_name][2] if given.tolerance is None else given.tolerance
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = dtype_name == "tf32"
    good = True
    name = (f"variant={variant} dtype={dtype_name} width={given.width:g} frames={check.shape[1]} "
            f"benchmark={given.benchmark:d}")  # fmt: skip
    try:
        call = make(variant, tensors, dtype_name, given)
        for count in counts:
            # The windows to check with, as often as it takes.
            places = torch.arange(count) % len(check)
            x = check[places].to(given.device)
            begin = time.perf_counter()
            run = captured(call, x) if variant.endswith("-graph") else lambda: call(x)
            error = error_of(run().float(), wanted[places].to(given.device))
            prepared = time.perf_counter() - begin
            if error > tolerance:
                print(f"RESULT peer {name} windows={count} failed: error={error:.1e} tolerance={tolerance:.0e}", flush=True)
                good = False
                continue
            seconds = timed(given.device, given.seconds, run)
            print(f"RESULT peer {name} windows={count} ms={1e3 * seconds:.3f} windows_per_s={count / seconds:.0f} "
                  f"error={error:.1e} prepared_s={prepared:.1f}", flush=True)  # fmt: skip
    except Exception as error:  # noqa: BLE001: whatever it is, the next variant may run.
        print(f"RESULT peer {name} failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}", flush=True)
        return False
    return good


def parse_cases(text: str) -> dict[str, list[int]]:
    """Numbers of windows, by type: a network is made once for all of a type."""
    cases: dict[str, list[int]] = {}
    for case in text.split(","):
        dtype_name, windows = case.split(":")
        if dtype_name not in DTYPES:
            raise argparse.ArgumentTypeError(f"no type {dtype_name}; {', '.join(DTYPES)} are")
        cases.setdefault(dtype_name, []).append(int(windows))
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("variants", nargs="+")
    parser.add_argument("--cases", type=parse_cases, default="float32:201")
    parser.add_argument("--benchmark", action="store_true")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tolerance", type=float, help="instead of each type's own")
    parser.add_argument("--compile-mode", default="default")
    given = parser.parse_args()
    torch.backends.cudnn.benchmark = given.benchmark
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_grad_enabled(False)
    tensors = read_network(given.file)
    given.width = tensors["hidden.bias"].shape[0] / 1280
    good = True
    for variant in given.variants:
        if variant == "ceilings":
            bytes_per_s, flop_per_s = measure_ceilings(given.device)
            print_floors(tensors, next(iter(given.cases.values()))[0], bytes_per_s, flop_per_s)
            continue
        for dtype_name, counts in given.cases.items():
            if variant == "layers":
                _, frames, mels = tensors["check.windows"].shape
                for count in counts:
                    Layers(tensors, given.device, DTYPES[dtype_name][0], given.seconds / 20).measure(count, frames, mels)
            else:
                good = measure(variant, dtype_name, counts, tensors, given) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
