"""The steps of the kit, as data. Places in braces are filled in by runner.py."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Command:
    words: tuple[str, ...]
    own: bool = False  # One of the kit's programs, or started by one: it sees the kit's libraries.


@dataclasses.dataclass(frozen=True)
class Step:
    name: str
    seconds: int  # At most.
    what: str
    commands: tuple[Command, ...]
    on_cpu: tuple[Command, ...] = ()  # A short form for --device cpu; empty: the same commands.
    gpu_only: bool = False


def probe(text: str) -> Command:
    return Command(("{probe}", *text.split()), own=True)


def python(program: str, text: str = "", *rest: str) -> Command:
    return Command(("{python}", "{here}/" + program, *text.split(), *rest))


def peers(text: str) -> Command:
    return python("peers/peers.py", "{work}/network " + text + " --device {device}")


def network(text: str = "--width 1") -> Command:
    """Writes the weights and the rows that peers compare theirs with."""
    return probe(f"network {text} {{work}}/network")


_WIDTHS = ("0.1", "0.2", "0.4", "0.5", "1", "2", "3", "4")
_CUDA = "--device {device}"
_HALF = "--device cuda --precision float16"
_WIDE_BATCH = "--max-batch-frames 32768"
_WORK = "windows:1,windows:16,windows:64,windows:256,windows:1024,windows:4096,timestamps:1,timestamps:16"
_SCENES = "scene1:1,scene1:32,scene1:256,scene10:1,scene10:4,scene10:32"
_FEW = "windows:1,windows:256,timestamps:1,timestamps:16,scene1:64,scene10:16"


def server(name: str, loads: str, flags: str) -> Command:
    return python("server_load.py", f"--name {name} --bin {{bin}} --out {{out}} --config mn10_all_b_mel_avgs {loads} -- "
                  f"--model-repository {{models}} --networks mn10_as {flags}")  # fmt: skip


def beside_memory(mib: int, command: Command) -> Command:
    """While another process leaves so much of the GPU's memory."""
    return Command((*python("hold_memory.py", f"--leave-mib {mib} --").words, *command.words))


_TIMESTAMPS = " ".join(f"--load timestamps/10/{callers}" for callers in (1, 4, 16, 64, 256))
_SCENES_OF_1_S = " ".join(f"--load scene/1/{callers}" for callers in (1, 16, 64, 256))

_ALL = (
    Step("facts", 15, "the card, its driver, the processor, whether every library is found", (python("facts.py", "--kit {tests}/.. --device {device}"),)),
    Step("alive", 40, "the smallest network runs",
         (probe("speed " + _CUDA + " --width 0.1 --max-batch-frames 64 --seconds 0.2 --work windows:1,windows:4,windows:16"),)),
    Step("parity", 60, "goldens in float32",
         (probe("parity " + _CUDA),),
         on_cpu=(probe("parity " + _CUDA + " --configs mn01_all_b_mel_avgs"),)),
    Step("rates", 45, "rates of mn10 by batch size, windows and scenes, float32",
         (probe(f"speed {_CUDA} {_WIDE_BATCH} --seconds 0.4 --work {_WORK},{_SCENES}"),),
         on_cpu=(probe("speed " + _CUDA + " --width 0.1 --seconds 0.1 --work windows:1,windows:64,timestamps:1,scene1:4,scene10:1"),)),
    Step("peers", 100, "PyTorch on the same weights: eager, CUDA graphs, torch.compile",
         (network(),
          peers("ceilings eager eager-graph --windows 201,1024,4096 --dtype float32,float16 --seconds 0.2"),
          peers("compile-graph --windows 201,1024 --dtype float32,float16 --seconds 0.2"),
          network("--width 1 --frames 1000 --windows 4"),
          peers("eager-graph --windows 1,16 --dtype float32,float16 --seconds 0.2")),
         on_cpu=(network("--width 0.1"), peers("eager linear --windows 4 --dtype float32 --seconds 0.1"))),
    Step("server", 60, "the server under load: timestamps of 10 s, scenes of 1 s, 1 to 256 callers",
         (server("cuda", _TIMESTAMPS + " " + _SCENES_OF_1_S, "--device=cuda"),),
         on_cpu=(python("server_load.py", "--name cpu --bin {bin} --out {out} --config hearwire_mn01_all_b_mel_avgs --seconds 1 "
                        "--load timestamps/1/2 --load scene/1/4 -- --device=cpu --backend=torch"),)),
    Step("parity16", 40, "goldens in float16, their loss", (probe(f"parity {_HALF} --tolerance 1e-2"),), gpu_only=True),
    Step("unit_tests", 90, "the unit tests of the CUDA path", (python("unit_tests.py", "--tests {tests} --device {device}"),)),
    Step("equality", 40, "a row alone and in batches, float32",
         (probe(f"equality {_CUDA} --tolerance 1e-4"), probe(f"equality {_CUDA} {_WIDE_BATCH} --tolerance 1e-4")),
         on_cpu=(probe("equality " + _CUDA + " --width 0.1 --max-batch-frames 1024 --tolerance 1e-5 --pad-windows"),)),
    Step("rates16", 50, "the rates in float16", (probe(f"speed {_HALF} {_WIDE_BATCH} --seconds 0.3 --work {_FEW}"),), gpu_only=True),
    Step("triton", 90, "the prototype of fused kernels against PyTorch",
         (network(), peers("triton-graph --windows 201,1024,4096 --dtype tf32x3,float16 --seconds 0.2")), gpu_only=True),
    Step("layers", 60, "each convolution alone: channels last against NCHW for depthwise, products for pointwise",
         (network(), peers("layers --windows 1024 --dtype float32,float16 --seconds 0.5")), gpu_only=True),
    Step("lengths", 60, "clips of many lengths, new and seen before",
         (probe(f"lengths {_CUDA} {_WIDE_BATCH} --count 32"), probe(f"lengths {_CUDA} {_WIDE_BATCH} --count 32 --no-pad-windows")),
         on_cpu=tuple(probe(f"lengths {_CUDA} --width 0.1 --count 4 {pad}") for pad in ("--pad-windows", "--no-pad-windows"))),

    Step("sanitizer", 60, "compute-sanitizer over one small call", (python("sanitizer.py", "{probe}"),), gpu_only=True),
    Step("little_memory", 60, "another process holds the GPU's memory",
         (python("hold_memory.py", "--leave-mib 1500 --", "{probe}",
                 *f"speed --device cuda {_WIDE_BATCH} --seconds 0.2 --work windows:2048,scene10:32".split()),
          beside_memory(1500, server("little-memory", "--load timestamps/10/16", "--device=cuda")),
          beside_memory(100, server("no-memory", "--load timestamps/10/16", "--device=auto"))),
         gpu_only=True),
    Step("device_lost", 50, "a kernel of the same process writes to address 0: what the backend and the server say",
         (probe("lose-device --device cuda --width 0.1"),
          server("device-lost", "--load timestamps/10/16 --break-device {tests}/libhearwire_break_on_signal.so", "--device=cuda")),
         gpu_only=True),
    Step("widths", 100, "every width on the GPU and on this machine's cores, for the choice between them",
         tuple(probe(f"speed --device {device} --width {width} {_WIDE_BATCH} --seconds 0.15 --workers {workers} --work windows:1,windows:256,timestamps:16,scene10:4")
               for width in _WIDTHS for device, workers in (("cuda", "1"), ("native", "{cpus}"))),
         on_cpu=tuple(probe(f"speed --device {device} --width 0.1 --seconds 0.05 --work windows:1,scene1:4") for device in ("native", "cpu"))),
    Step("soak", 75, "a minute of batches of random sizes: memory of the process and the GPU",
         (python("watch_gpu.py", "--", "{probe}", *f"soak {_CUDA} --seconds 60".split()),),
         on_cpu=(probe("soak " + _CUDA + " --width 0.1 --seconds 2 --max-batch-frames 512"),)),
    Step("server_native", 45, "the server on this machine's cores",
         (server("native", "--load timestamps/10/16 --load timestamps/10/64 --load scene/1/64 --load scene/1/256", "--device=cpu"),),
         on_cpu=(python("server_load.py", "--name native --bin {bin} --out {out} --config hearwire_mn01_all_b_mel_avgs --seconds 1 "
                        "--load scene/1/2 -- --device=cpu"),)),
    Step("server_auto", 45, "--device=auto: which it takes, and why",
         (server("auto", "--load timestamps/10/64", "--device=auto"),), gpu_only=True),
    Step("server16", 40, "the server in float16",
         (server("float16", "--load timestamps/10/64 --load timestamps/10/256 --load scene/1/256", "--device=cuda --precision=float16"),), gpu_only=True),
    Step("official", 60, "the published mn04 on real sound: what each precision does to its rows",
         (network("--checkpoint {models}/mn04_as.pt --clip {golden}/golden/audio/clip_10s.npy"),
          peers("eager triton --windows 1024 --dtype float32,tf32x3,tf32,float16 --seconds 0.1 --tolerance 1")), gpu_only=True),
    Step("compile", 100, "torch.compile with all its tuning",
         (network(), peers("compile-graph --windows 201,1024 --dtype float32 --seconds 0.3 --compile-mode max-autotune-no-cudagraphs")), gpu_only=True),
)  # fmt: skip

STEPS = {step.name: step for step in _ALL}

# Seconds for all steps, and the steps, the most important first.
PARTS = {
    "first": (345, "facts alive parity parity16 equality rates server peers unit_tests rates16 triton layers lengths".split()),
    "second": (225, "facts sanitizer little_memory device_lost widths soak server_native server_auto server16 official compile".split()),
}  # fmt: skip
