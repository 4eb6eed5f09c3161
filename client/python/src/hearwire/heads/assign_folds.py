"""Which sounds are held out together when a head is judged."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from hearwire.heads.errors import HeadError
from hearwire.heads.labelled_sounds import LabelledSound, labels_of


def assign_folds(sounds: Sequence[LabelledSound], folds: int, multi_label: bool, seed: int) -> tuple[str, ...]:
    """The fold of each sound: of the file's column, else one of `folds` in which the labels are as frequent as in all.

    Sounds that may have several labels are dealt out at random. Raises HeadError where a label has too few sounds.
    """
    labels = labels_of(sounds)
    if not labels:
        raise HeadError("no sound has a label")
    if not multi_label and len(labels) < 2:
        raise HeadError(f"all sounds have the label {labels[0]}: two labels or more would be right")
    given = tuple(sound.fold for sound in sounds if sound.fold is not None)
    if not given:
        _check_count(sounds, labels, folds)
        given = _dealt(sounds, folds, multi_label, seed)
    elif len(set(given)) < 2:
        raise HeadError(f"all sounds are in the fold {given[0]}: two folds or more would be right")
    for fold in sorted(set(given)):
        rest = [sound for sound, place in zip(sounds, given) if place != fold]
        _check_rest(rest, fold, labels, multi_label)
    return given


def _check_count(sounds: Sequence[LabelledSound], labels: Sequence[str], folds: int) -> None:
    count = collections.Counter(label for sound in sounds for label in sound.labels)
    rarest = min(labels, key=lambda label: count[label])
    if count[rarest] < folds:
        raise HeadError(
            f"the label {rarest} has too few sounds, {count[rarest]} for {folds} folds: more of them, or fewer folds "
            "(--folds, 2 at least), would be right"
        )


def _dealt(sounds: Sequence[LabelledSound], folds: int, multi_label: bool, seed: int) -> tuple[str, ...]:
    dealer = (KFold if multi_label else StratifiedKFold)(folds, shuffle=True, random_state=seed)
    places = np.zeros(len(sounds), np.int64)
    first_labels = [sound.labels[0] if sound.labels else "" for sound in sounds]
    for place, (_, held_out) in enumerate(dealer.split(first_labels, first_labels)):
        places[held_out] = place + 1
    return tuple(str(place) for place in places)


def _check_rest(rest: Sequence[LabelledSound], fold: str, labels: Sequence[str], multi_label: bool) -> None:
    """Without any one fold, something must be left to learn each label from."""
    for label in labels:
        having = sum(label in sound.labels for sound in rest)
        if having == 0:
            raise HeadError(
                f"the label {label} has too few sounds, all of them in the fold {fold}: some in another would be right"
            )
        if multi_label and having == len(rest):
            raise HeadError(
                f"outside of the fold {fold} all sounds have the label {label}: some without it would be right"
            )
