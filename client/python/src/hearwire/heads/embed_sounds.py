"""Embeddings of files, from a server."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any, Optional

from hearwire.client import Client
from hearwire.errors import clip_fault
from hearwire.heads.errors import HeadError
from hearwire.heads.head import Matrix, float32
from hearwire.replies import EmbeddingSpace

MOST_NAMED = 10


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddedSounds:
    clips: list[Matrix]  # [rows, size] of each file, in the order of the files; a scene is one row.
    space: EmbeddingSpace


def embed_sounds(
    client: Client, paths: Sequence[pathlib.Path], config: str, kind: str, in_flight: int
) -> EmbeddedSounds:
    """All embeddings stay in memory. Raises HeadError that names the files which cannot be read, or HearwireError."""
    ask: Any = client.map_scene_embeddings if kind == "scene" else client.map_timestamp_embeddings
    clips: list[Matrix] = []
    bad: list[str] = []
    space: Optional[EmbeddingSpace] = None
    for path, reply in zip(paths, ask(paths, config, in_flight=in_flight).including_errors()):
        if isinstance(reply, Exception):
            fault = clip_fault(reply)
            if fault is None:
                raise reply
            bad.append(f"{path}: {fault}")
            continue
        if space is not None and reply.space != space:
            raise HeadError(f"the server's network changed meanwhile, from {space} to {reply.space}: train again")
        space = reply.space
        clips.append(float32(reply.embeddings if kind == "scene" else reply.clips[0].embeddings))
    if bad:
        more = [f"and {len(bad) - MOST_NAMED} more"] if len(bad) > MOST_NAMED else []
        raise HeadError("\n".join([f"{len(bad)} of {len(paths)} sounds have no embedding:", *bad[:MOST_NAMED], *more]))
    assert space is not None, "no sounds"
    return EmbeddedSounds(clips, space)
