#!/usr/bin/env python3
"""Fails when a folder includes one that it may not, when LibTorch leaks out of its backend, or when a file is too long.

Usage: layering.py REPOSITORY
"""

import pathlib
import re
import sys

MODELS = {"models", "models/configs", "models/checkpoint", "models/log_mel"}

# Folder: the folders that its files may include, besides itself. In the order of a request's flow, from its end.
ALLOWED = {
    "models/configs": set(),
    "models/checkpoint": {"models/configs"},
    "models/heads": {"models/configs", "models/checkpoint"},
    "models/own_networks": {"models/configs", "models/checkpoint"},
    "models/log_mel": {"models/configs"},
    "models": MODELS,
    "models/weights": {"models/configs"},
    "models/native": MODELS,
    "models/chunks": MODELS,
    "models/cuda": MODELS | {"models/chunks"},
    "models/torch": MODELS | {"models/chunks", "models/torch_module"},
    "models/torch_module": MODELS,
    "server/concurrency": set(),
    "server/files": set(),
    "server/listening": {"server/concurrency"},
    "server/names": set(),
    "server/telemetry": {"server/concurrency"},
    "server/tls": {"server/concurrency", "server/files"},
    "server/access": {"server/concurrency", "server/files"},
    "server/audio": set(),
    "server/batching": MODELS | {"server/concurrency"},
    "server/pipeline": MODELS
    | {
        "models/heads",
        "models/own_networks",
        "models/weights",
        "server/audio",
        "server/batching",
        "server/concurrency",
        "server/names",
        "server/telemetry",
    },
    "server/engines": MODELS | {"server/batching", "server/concurrency", "server/pipeline", "server/telemetry"},
    "server/rpc": MODELS
    | {
        "models/heads",
        "server/access",
        "server/audio",
        "server/concurrency",
        "server/listening",
        "server/names",
        "server/pipeline",
        "server/telemetry",
    },
    "server/open_inference": MODELS
    | {"server/audio", "server/concurrency", "server/names", "server/pipeline", "server/rpc"},
    "server": MODELS
    | {
        "models/cuda",
        "models/native",
        "models/own_networks",
        "models/torch_module",
        "models/weights",
        "server/access",
        "server/batching",
        "server/concurrency",
        "server/engines",
        "server/listening",
        "server/names",
        "server/open_inference",
        "server/pipeline",
        "server/rpc",
        "server/telemetry",
        "server/tls",
    },
    "client": set(),
    "client/cli": {"client", "models/configs"},
    "load": {"client", "client/cli", "server/concurrency"},
}
# The backend, and the tests of its parts.
LIBTORCH_FOLDERS = {"models/torch", "tests/models/torch"}
LIBTORCH = re.compile(r"#include [<\"](torch|ATen|c10|caffe2)/")
INCLUDE = re.compile(r'#include "((?:models|server|client|load|tests)(?:/[^"/]+)*)/[^"/]+"')
MAX_LINES = 400
# Tables of data may be as long as their data.
DATA = {"models/configs/audioset.cc", "models/configs/config_table.cc"}


def problems(root: pathlib.Path) -> list[str]:
    found = []
    sources = [p for top in ("models", "server", "client", "load", "tests") for p in (root / top).rglob("*.[hc]*")]
    for path in sorted(p for p in sources if p.suffix in (".h", ".cc")):
        name = path.relative_to(root).as_posix()
        folder = path.parent.relative_to(root).as_posix()
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > MAX_LINES and name not in DATA:
            found.append(f"{name}: {len(lines)} lines; {MAX_LINES} is the most that can be read in one sitting")
        if folder not in LIBTORCH_FOLDERS and any(LIBTORCH.match(line) for line in lines):
            found.append(f"{name}: includes LibTorch, which belongs to models/torch and its tests alone")
        if name.startswith("tests/"):
            continue
        if folder not in ALLOWED:
            found.append(f"{name}: its folder is not in the table of tests/architecture/layering.py")
            continue
        for number, line in enumerate(lines, 1):
            include = INCLUDE.match(line)
            if include and include.group(1) != folder and include.group(1) not in ALLOWED[folder]:
                found.append(f"{name}:{number}: {folder} may not include {include.group(1)}")
    return found


def main() -> int:
    found = problems(pathlib.Path(sys.argv[1]))
    print("\n".join(found) or "layering ok")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
