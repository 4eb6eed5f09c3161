"""A head's file: safetensors, written here so that the same head is the same bytes.

The package safetensors writes its metadata in an order that changes from run to run, and a server tells the file's
SHA-256.
"""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

from hearwire._command_line import write_whole
from hearwire.heads.errors import HeadError
from hearwire.heads.head import Head

FORMAT = "hearwire.head.v1"
SUFFIX = ".safetensors"
MOST_HEADER_BYTES = 1 << 20  # Servers read no more.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def check_output(path: pathlib.Path, force: bool) -> None:
    """Raises HeadError where no head can be written. Called before the work that makes one."""
    name = path.name
    if not name.endswith(SUFFIX) or not _NAME.fullmatch(name[: -len(SUFFIX)]):
        raise HeadError(
            f"{path}: a head's file is called NAME{SUFFIX}, its name of letters, digits, dashes, underscores and dots, "
            "but with no dot first"
        )
    if path.exists() and not force:
        raise HeadError(f"{path} exists: --force replaces it")
    if not path.parent.is_dir():
        raise HeadError(f"{path}: there is no folder {path.parent}")


def write_head(head: Head, path: pathlib.Path) -> None:
    """A reader sees the whole file or none of it. Raises HeadError, OSError."""
    write_whole(path, encode_head(head))


def encode_head(head: Head) -> bytes:
    """Raises HeadError for a head with more words than servers read."""
    header: dict[str, Any] = {"__metadata__": metadata(head)}
    parts: list[bytes] = []
    end = 0
    for name, values in head.tensors().items():
        parts.append(values.astype("<f4", copy=False).tobytes())
        start, end = end, end + len(parts[-1])
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)  # As the format wants it, so that the tensors lie aligned.
    if len(text) > MOST_HEADER_BYTES:
        raise HeadError(f"labels and notes take {len(text)} bytes, servers read {MOST_HEADER_BYTES}")
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def metadata(head: Head) -> dict[str, str]:
    """What a head's file says in words; empty values are left out."""
    words = {
        "format": FORMAT,
        "config": head.space.config,
        "weights_sha256": head.space.weights_sha256,
        "frontend": head.space.frontend,
        "precision": head.space.precision,
        "kind": head.kind,
        "activation": "relu",
        "output": head.output,
        "labels": json.dumps(head.labels, ensure_ascii=False),
        **head.notes,
    }
    return {name: value for name, value in words.items() if value}
