"""`heads train`: sounds with labels become a head."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hearwire.client import Client
from hearwire.heads.assign_folds import assign_folds
from hearwire.heads.cross_validate import Validation, cross_validate
from hearwire.heads.embed_sounds import EmbeddedSounds, embed_sounds
from hearwire.heads.fit_head import Classifier, Rows, fit_head
from hearwire.heads.head import Head
from hearwire.heads.head_file import check_output, write_head
from hearwire.heads.labelled_sounds import LabelledSound, labels_of, read_sounds


@dataclasses.dataclass(frozen=True)
class Training:
    """What is asked for."""

    source: pathlib.Path  # A folder with a folder for each label, or a CSV file.
    output: pathlib.Path
    config: str  # "": the server's default.
    kind: str
    multi_label: bool
    classifier: Classifier
    folds: int  # For sources that name none.
    in_flight: int
    force: bool  # Replaces an output that exists.


def train(training: Training, client: Client) -> None:
    """Prints the cross-validation, then writes the head of all sounds. Raises HeadError, HearwireError, OSError."""
    check_output(training.output, training.force)
    sounds = read_sounds(training.source, training.multi_label)
    # Before the embedding, which takes the time.
    folds = assign_folds(sounds, training.folds, training.multi_label, training.classifier.seed)
    paths = [sound.path for sound in sounds]
    embedded = embed_sounds(client, paths, training.config, training.kind, training.in_flight)
    labels = labels_of(sounds)
    rows, owners = _rows_of(sounds, labels, embedded)
    count, size = rows.embeddings.shape
    print(f"{len(sounds)} sounds, {len(labels)} labels: {count} embeddings of {size} values by {embedded.space.config}")

    def fit(some: Rows) -> Head:
        return fit_head(some, training.classifier, labels, training.multi_label, embedded.space, training.kind)

    validation = cross_validate(rows, owners, folds, training.multi_label, fit)
    _print(validation, labels, rows)
    notes = {
        "task": training.source.resolve().stem,
        "score": f"cross-validation over {len(validation.folds)} folds: {validation.measure} {validation.mean:.4f}",
        "trained_on": f"{len(sounds)} sounds of {training.source.resolve().name}",
    }
    write_head(dataclasses.replace(fit(rows), notes=notes), training.output)
    print(f"{training.output}: fitted on all {len(sounds)} sounds")


def _rows_of(
    sounds: Sequence[LabelledSound], labels: Sequence[str], embedded: EmbeddedSounds
) -> tuple[Rows, npt.NDArray[np.int64]]:
    """All embeddings with their sounds' labels, and the index of the sound that each is of."""
    owners = np.repeat(np.arange(len(sounds)), [len(clip) for clip in embedded.clips])
    targets = np.array([[label in sound.labels for label in labels] for sound in sounds])
    return Rows(np.concatenate(embedded.clips), targets[owners]), owners


def _print(validation: Validation, labels: Sequence[str], rows: Rows) -> None:
    for fold in validation.folds:
        print(f"fold {fold.fold}: {validation.measure} {fold.score:.4f} ({fold.sounds} sounds)")
    print(
        f"cross-validation: {validation.measure} {validation.mean:.4f}, "
        f"standard deviation {validation.deviation:.4f} over {len(validation.folds)} folds"
    )
    by_label = "average precision" if validation.measure.startswith("mean") else "recall"
    width = max(len(label) for label in labels)
    for label, score, count in zip(labels, validation.by_label, rows.targets.sum(axis=0)):
        print(f"  {label:{width}}  {by_label} {score:.4f} of {count}")
