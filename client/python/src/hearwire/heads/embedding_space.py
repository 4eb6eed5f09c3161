"""The embedding space of a config, for a head that is trained elsewhere."""

from __future__ import annotations

import difflib
import hashlib
import pathlib

from hearwire.client import Client
from hearwire.heads.errors import HeadError
from hearwire.replies import EmbeddingSpace


def space_of_server(client: Client, config: str, kind: str, size: int) -> EmbeddingSpace:
    """size: of the embeddings that the head reads. Raises HeadError, HearwireError."""
    configs = {info.name: info for info in client.list_configs()}
    info = configs.get(config)
    if info is None:
        near = difflib.get_close_matches(config, configs, n=3)
        words = f" ({' or '.join(near)}?)" if near else ""
        raise HeadError(f"the server at {client.server} knows no config {config}{words}: --config names another")
    if info.space is None:
        raise HeadError(
            f"the server at {client.server} does not have the network {info.network}, which {config} needs: "
            f"hearwire checkpoints fetch {info.network} --into DIR, and start it with --model-repository DIR"
        )
    found = info.scene_embedding_size if kind == "scene" else info.timestamp_embedding_size
    if found != size:
        raise HeadError(f"the head reads {size} values, an embedding of {config} has {found}: --config names another")
    return info.space


def space_of_checkpoint(config: str, checkpoint: pathlib.Path) -> EmbeddingSpace:
    """Of embeddings that another program has computed with a network's checkpoint. Raises OSError."""
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    return EmbeddingSpace(config, digest, "", "")
