"""The steps of the kit, as data. Places in braces are filled in by runner.py."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Command:
    words: tuple[str, ...]
    own: bool = False  # One of the kit's programs, or started by one: it sees the kit's libraries.
    needs: str = ""  # A checkpoint of {models}: without it the command is left out.


@dataclasses.dataclass(frozen=True)
class Step:
    name: str
    seconds: int  # At most.
    what: str
    commands: tuple[Command, ...]
    on_cpu: tuple[Command, ...] = ()  # A short form for --device cpu; empty: the same commands.
    gpu_only: bool = False


def with_checkpoint(name: str, command: Command) -> Command:
    return dataclasses.replace(command, needs=name)


def probe(text: str) -> Command:
    return Command(("{probe}", *text.split()), own=True)


def python(program: str, text: str = "", *rest: str) -> Command:
    return Command(("{python}", "{here}/" + program, *text.split(), *rest))


def cases(dtypes: str, windows: str) -> str:
    return "--cases " + ",".join(f"{dtype}:{count}" for dtype in dtypes.split() for count in windows.split())


def peers(text: str) -> Command:
    return python("peers/peers.py", "{work}/network " + text + " --device {device}")


def network(text: str = "--width 1") -> Command:
    """Writes the weights and the rows that peers compare theirs with."""
    return probe(f"network {text} {{work}}/network")


_WIDTHS = "0.1,0.2,0.4,0.5,1,2,3,4"
_ANY = "--device {device}"
_HALF = "--device cuda --precision float16"
_WIDE = "--max-batch-frames 32768"
_GOLDENS = "parity --committed {tests}/golden"
_COLD = "--warm-up-seconds 0"  # Where shapes are few, or the first run of each is not counted.
_TUNINGS = ("cudnn", "graphs", "cudnn,timed", "convolutions")  # Of the CUDA path: gpu_probe --help says what they are.


def server(name: str, loads: str, flags: str, networks: str = "--networks mn10_as") -> Command:
    """A server of mn10, or of every network. loads: KIND/SECONDS/CALLERS …, of mn10."""
    command = python(
        "server_load.py",
        f"--name {name} --bin {{bin}} --out {{out}} --config mn10_all_b_mel_avgs "
        + " ".join(word if word.startswith("-") or "{" in word else f"--load {word}" for word in loads.split())
        + f" -- --model-repository {{models}} {networks} {flags}",
    )
    return with_checkpoint("mn10_as.pt", command)


def small_server(name: str, loads: str, flags: str) -> Command:
    """A server of the embedded network, for a second each."""
    words = "--bin {bin} --out {out} --config hearwire_mn01_all_b_mel_avgs --seconds 1 "
    return python("server_load.py", f"--name {name} " + words + " ".join(f"--load {load}" for load in loads.split())
                  + f" -- {flags}")  # fmt: skip


def with_memory(mib: int, command: Command) -> Command:
    """While another process leaves no more than that of the GPU's memory."""
    words = (*python("hold_memory.py", f"--leave-mib {mib} --").words, *command.words)
    return with_checkpoint(command.needs, Command(words))


_OWN = "--device kernels"  # The backend cuda; --device cuda is LibTorch's.

_ALL = (
    Step(
        "facts", 30, "the card, its driver, the processor, whether every library is found",
        (python("facts.py", "--kit {tests}/.. --device {device}"),),
    ),
    Step(
        "alive", 40, "the smallest network runs",
        (probe(f"speed {_ANY} --width 0.1 --max-batch-frames 64 --seconds 0.2 --work windows:1,windows:4,windows:16"),),
    ),
    Step(
        "kernels", 60, "the backend cuda: goldens, and rows alone and in batches, which must have the same bits",
        (probe(f"{_GOLDENS} {_OWN}"),
         probe(f"equality {_OWN} --tolerance 0"), probe(f"equality {_OWN} {_WIDE} --width 0.4 --tolerance 0")),
        gpu_only=True,
    ),
    Step(
        "kernels_rates", 60, "the backend cuda: rates of mn10 by batch size, windows and scenes",
        (probe(f"speed {_OWN} {_WIDE} --seconds 0.3 --work windows:1,windows:16,windows:64,windows:256,windows:1024,"
               "windows:2048,timestamps:1,timestamps:4,timestamps:16,scene1:1,scene1:32,scene1:256,scene10:1,scene10:4,"
               "scene10:32"),
         probe(f"speed {_OWN} {_WIDE} --seconds 0.3 --workers 2 --work timestamps:1,timestamps:16,scene10:16")),
        gpu_only=True,
    ),
    Step(
        "kernels_launches", 40, "the backend cuda: each launch of a pass, and the ways to cut its products",
        (probe("launches --windows 201 --cuts"), probe("launches --windows 1024 --cuts"), probe("launches --windows 2048"),
         probe("launches --windows 1"), probe("launches --windows 4 --frames 1001"),
         probe("launches --windows 1024 --width 0.4")),
        gpu_only=True,
    ),
    Step(
        "kernels_server", 50, "the server on the backend cuda: timestamps of 10 s, scenes of 1 s, 1 to 256 callers",
        (server("kernels", "timestamps/10/1 timestamps/10/4 timestamps/10/16 timestamps/10/64 timestamps/10/256 "
                "scene/1/1 scene/1/64 scene/1/256", "--device=cuda --backend=cuda"),),
        gpu_only=True,
    ),
    Step(
        "kernels_widths", 40, "the backend cuda: every width, and clips of many lengths",
        (probe(f"speed {_OWN} --width {_WIDTHS} {_WIDE} --seconds 0.15 --work windows:1,windows:256,timestamps:16,scene10:4"),
         probe(f"lengths {_OWN} {_WIDE} --count 32")),
        gpu_only=True,
    ),
    Step(
        "parity", 60, "goldens in float32",
        (probe(f"{_GOLDENS} {_ANY} {_COLD}"),),
        on_cpu=(probe(f"{_GOLDENS} {_ANY} {_COLD} --configs mn01_all_b_mel_avgs"),),
    ),
    Step(
        "rates", 40, "rates of mn10 by batch size, windows and scenes, float32; how long a whole warm-up takes",
        (probe(f"speed {_ANY} {_WIDE} --seconds 0.3 --work windows:1,windows:16,windows:64,windows:256,windows:1024,"
               "windows:4096,timestamps:1,timestamps:16,scene1:1,scene1:32,scene1:256,scene10:1,scene10:4,scene10:32"),),
        on_cpu=(probe(f"speed {_ANY} --width 0.1 --seconds 0.1 --work windows:1,windows:64,timestamps:1,scene1:4"),),
    ),
    Step(
        "unit_tests", 60, "the unit tests of the CUDA path",
        (python("unit_tests.py", "--tests {tests} --device {device}"),),
    ),
    Step(
        "server", 75, "the server under load: timestamps of 10 s, scenes of 1 s, 1 to 256 callers",
        (server("cuda", "timestamps/10/1 timestamps/10/16 timestamps/10/64 timestamps/10/256 scene/1/1 scene/1/64 "
                "scene/1/256", "--device=cuda --backend=torch"),),
        on_cpu=(small_server("cpu", "timestamps/1/2 scene/1/4", "--device=cpu --backend=torch"),),
    ),
    Step(
        "tunings", 70, "the choices that only a GPU can make: rates of each, then goldens; cuDNN's timing of plans is one",
        # A graph is replayed from the third run of a chunk on, which goldens do not come to: speed compares such rows.
        (*(probe(f"speed --device cuda {_WIDE} {_COLD} --seconds 0.3 --work windows:256,timestamps:16,scene10:4{tuning}")
           for tuning in ("", *(f" --tuning {tuning}" for tuning in _TUNINGS))),
         *(probe(f"{_GOLDENS} --device cuda {_COLD} --tuning {tuning} --configs mn01_all_b_mel_avgs")
           for tuning in ("cudnn", "convolutions"))),
        gpu_only=True,
    ),
    Step(
        "peers", 45, "PyTorch on the same weights as CUDA graphs, with the plans that cuDNN timed; the card's own ceilings",
        (network(),
         peers("ceilings eager-graph --benchmark --cases float32:201,float32:1024,float16:1024 --seconds 0.2")),
        on_cpu=(network("--width 0.1"), peers("eager linear --cases float32:4 --seconds 0.1")),
    ),
    Step(
        "parity16", 30, "goldens in float16: its loss",
        (probe(f"{_GOLDENS} {_HALF} {_COLD} --tolerance 1e-2"),),
        gpu_only=True,
    ),
    Step(
        "equality", 30, "a row alone and in batches, float32",
        (probe(f"equality {_ANY} {_COLD} --tolerance 1e-4"), probe(f"equality {_ANY} {_WIDE} {_COLD} --tolerance 1e-4")),
        on_cpu=(probe(f"equality {_ANY} {_COLD} --width 0.1 --max-batch-frames 1024 --tolerance 1e-5 --pad-windows"),),
    ),
    Step(
        "rates16", 25, "the rates in float16",
        (probe(f"speed {_HALF} {_WIDE} {_COLD} --seconds 0.2 --work windows:1,windows:256,windows:1024,timestamps:1,"
               "timestamps:16,scene1:64,scene10:16"),),
        gpu_only=True,
    ),
    Step(
        "compiled", 80, "PyTorch on the same weights by torch.compile, as CUDA graphs",
        (network(), peers("compile-graph --cases float32:1024,float32:201,float16:1024 --seconds 0.2")),
        gpu_only=True,
    ),
    Step(
        "widths", 60, "every width on the GPU and on this machine's cores, for the choice between them",
        tuple(probe(f"speed --device {device} --width {_WIDTHS} {_WIDE} {_COLD} --seconds 0.15 --workers {workers} "
                    "--work windows:1,windows:256,timestamps:16,scene10:4")
              for device, workers in (("cuda", "1"), ("native", "{cpus}"))),
        on_cpu=tuple(probe(f"speed --device {device} --width 0.1,0.2 --seconds 0.05 --work windows:1,scene1:4")
                     for device in ("native", "cpu")),
    ),
    Step(
        "lengths", 40, "clips of many lengths, new and seen before",
        tuple(probe(f"lengths {_ANY} {_WIDE} --count 32 {pad}") for pad in ("--pad-windows", "--no-pad-windows")),
        on_cpu=tuple(probe(f"lengths {_ANY} --width 0.1 --count 4 {pad}") for pad in ("--pad-windows", "--no-pad-windows")),
    ),
    Step(
        "triton", 60, "the prototype of fused kernels against PyTorch",
        (network(), peers(f"triton-graph {cases('tf32x3 float16', '201 1024')} --seconds 0.2")),
        gpu_only=True,
    ),
    Step(
        "layers", 60, "each convolution alone: channels last against NCHW for depthwise, products for pointwise",
        (network(), peers("layers --cases float32:1024,float16:1024 --seconds 0.5")),
        gpu_only=True,
    ),
    Step(
        "peers_scenes", 40, "PyTorch on scenes of 10 s as CUDA graphs",
        (network("--width 1 --frames 1000 --windows 4"),
         peers(f"eager-graph --benchmark {cases('float32 float16', '1 16')} --seconds 0.2")),
        gpu_only=True,
    ),
    Step(
        "sanitizer", 60, "compute-sanitizer over one small call of the backend cuda, and one of LibTorch's",
        (python("sanitizer.py", "{probe}"),),
        gpu_only=True,
    ),
    Step(
        "device_lost", 70, "a kernel of the same process writes to address 0: what the backend and the server say",
        (probe(f"lose-device {_OWN} --width 0.1"),
         probe(f"lose-device --device cuda --width 0.1 {_COLD}"),
         *(server(f"device-lost-{backend}", "timestamps/10/16 --break-device {tests}/libhearwire_break_on_signal.so",
                  f"--device=cuda --backend={backend}") for backend in ("cuda", "torch"))),
        gpu_only=True,
    ),
    Step(
        "little_memory", 80, "another process holds the GPU's memory: warm-up and large batches, then a server that may choose",
        (with_memory(1500, probe(f"speed {_OWN} {_WIDE} --seconds 0.2 --work windows:2048,scene10:32")),
         with_memory(1500, probe(f"speed --device cuda {_WIDE} --seconds 0.2 --work windows:2048,scene10:32")),
         with_memory(100, server("no-memory", "timestamps/10/16", "--device=auto"))),
        gpu_only=True,
    ),
    Step(
        "kernels_soak", 40, "the backend cuda: batches of random sizes, memory of the process and the GPU",
        (Command((*python("watch_gpu.py", "--").words, *probe(f"soak {_OWN} --seconds 20").words)),),
        gpu_only=True,
    ),
    Step(
        "soak", 75, "a minute of batches of random sizes: memory of the process and the GPU",
        (Command((*python("watch_gpu.py", "--").words, *probe("soak --device cuda --seconds 60").words)),),
        on_cpu=(probe(f"soak {_ANY} --width 0.1 --seconds 2 --max-batch-frames 512"),),
    ),
    Step(
        "server_native", 45, "the server on this machine's cores",
        (server("native", "timestamps/10/16 timestamps/10/64 scene/1/64 scene/1/256", "--device=cpu"),),
        on_cpu=(small_server("native", "scene/1/2", "--device=cpu"),),
    ),
    Step(
        "server_auto", 60, "--device=auto: where it places each network, and why",
        (server("auto", "timestamps/10/64", "--device=auto", networks=""),),
        gpu_only=True,
    ),
    Step(
        "server16", 40, "the server in float16",
        (server("float16", "timestamps/10/64 timestamps/10/256 scene/1/256", "--device=cuda --precision=float16"),),
        gpu_only=True,
    ),
    Step(
        "widths16", 40, "the other widths in float16",
        (probe(f"speed {_HALF} --width 0.1,0.2,0.4,0.5,2,3,4 {_WIDE} {_COLD} --seconds 0.1 --work windows:256,timestamps:16,scene10:4"),),
        gpu_only=True,
    ),
    Step(
        "official", 60, "the published mn04 on real sound: what each precision does to its rows",
        tuple(with_checkpoint("mn04_as.pt", command) for command in (
            network("--checkpoint {models}/mn04_as.pt --clip {golden}/golden/audio/clip_10s.npy"),
            peers(f"eager triton {cases('float32 tf32x3 tf32 float16', '1024')} --seconds 0.1 --tolerance 1"))),
        gpu_only=True,
    ),
    Step(
        "compile", 100, "torch.compile with all its tuning",
        (network(), peers(f"compile-graph --benchmark {cases('float32', '201 1024')} --seconds 0.3 "
                          "--compile-mode max-autotune-no-cudagraphs")),
        gpu_only=True,
    ),
)  # fmt: skip

STEPS = {step.name: step for step in _ALL}

# Seconds for all steps, and the steps, the most important first.
_SECOND = ("sanitizer device_lost little_memory kernels_soak soak server_native server_auto server16 widths16 layers official compile "
           "peers_scenes").split()  # fmt: skip
PARTS = {
    "first": (345, [name for name in STEPS if name not in _SECOND]),
    "second": (225, ["facts", *_SECOND]),
}
