"""`heads import`: a classifier that heareval has trained becomes a head."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Optional

from hearwire.client import Client
from hearwire.heads.embedding_space import space_of_checkpoint, space_of_server
from hearwire.heads.errors import HeadError
from hearwire.heads.fold_norms import fold_norms
from hearwire.heads.head import Head
from hearwire.heads.head_file import check_output, write_head
from hearwire.heads.heareval_run import choose_split, find_checkpoint, read_heareval_run

HEARWIRE_MODULES = "hearwire.hear."


@dataclasses.dataclass(frozen=True)
class Import:
    """What is asked for."""

    folder: pathlib.Path  # Of a task's embeddings.
    output: pathlib.Path
    logs: pathlib.Path
    split: Optional[str]  # None: the best by its validation.
    config: Optional[str]  # None: by the name of the module that made the embeddings.
    weights: Optional[pathlib.Path]  # The network's checkpoint; None: the server says which it has.
    force: bool  # Replaces an output that exists.


def import_head(wanted: Import, client: Client) -> None:
    """The client is used where no weights are named. Raises HeadError, HearwireError, OSError."""
    check_output(wanted.output, wanted.force)
    run = read_heareval_run(wanted.folder)
    config = wanted.config or _config_of(run.module)
    if wanted.weights is None and not run.module.startswith(HEARWIRE_MODULES):
        raise HeadError(
            f"the embeddings are by {run.module}, not by Hearwire: --weights names the network's checkpoint that they "
            "were computed with"
        )
    split = choose_split(run, wanted.split)
    checkpoint = find_checkpoint(run, split, wanted.logs)
    try:
        layers = fold_norms(checkpoint.parameters)
    except HeadError as error:
        raise HeadError(f"{checkpoint.path}: {error}") from None
    size = layers[0].weight.shape[1]
    if wanted.weights is None:
        space = space_of_server(client, config, run.kind, size)
    else:
        space = space_of_checkpoint(config, wanted.weights)
    scores = ", ".join(f"{measure} {value:.4f}" for measure, value in split.test_scores.items())
    notes = {
        "task": run.task,
        "score": f"{split.name}: {scores}",
        "trained_on": f"{wanted.folder.resolve().name} without {split.name}, embedded by {run.module}",
    }
    head = Head(space=space, kind=run.kind, labels=run.labels, output=run.output, layers=layers, notes=notes)
    write_head(head, wanted.output)
    print(f"{checkpoint.path}: validation score {split.validation_score:.4f}, epoch {split.epoch}")
    print(f"{wanted.output}: {len(run.labels)} labels, {config}; {notes['score']}")


def _config_of(module: str) -> str:
    """heareval calls its folder by the module and, behind a dash, its options."""
    return module.partition("-")[0].rpartition(".")[2]
