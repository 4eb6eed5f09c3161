"""Sounds with labels: from folders, one a label, or from a CSV file."""

from __future__ import annotations

import csv
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Optional

from hearwire._sound_files import AUDIO, is_sound, sounds_below
from hearwire.heads.errors import HeadError

SEPARATOR = ";"  # Of several labels in one cell of a CSV file.


@dataclasses.dataclass(frozen=True)
class LabelledSound:
    path: pathlib.Path
    labels: tuple[str, ...]  # One, or any number where a sound may have several.
    fold: Optional[str]  # Of the file's column; None: it has no such column.


def read_sounds(source: pathlib.Path, multi_label: bool) -> list[LabelledSound]:
    """source: a folder or a CSV file. Raises HeadError, OSError. The order is the same on every machine."""
    if not source.is_dir():
        sounds = _from_csv(source, multi_label)
    elif multi_label:
        raise HeadError(f"{source}: sounds in folders have one label each: --multi-label reads a CSV file")
    else:
        sounds = _from_folders(source)
    missing = [str(sound.path) for sound in sounds if not sound.path.is_file()]
    if missing:
        raise HeadError(f"{source} names {len(missing)} files that are not there: {_some(missing)}")
    if not sounds:
        raise HeadError(f"{source} names no sounds")
    return sounds


def labels_of(sounds: Sequence[LabelledSound]) -> tuple[str, ...]:
    """Each label once, in the order of the alphabet."""
    return tuple(sorted({label for sound in sounds for label in sound.labels}))


def _from_folders(source: pathlib.Path) -> list[LabelledSound]:
    entries = sorted(entry for entry in source.iterdir() if not entry.name.startswith("."))
    stray = [str(entry) for entry in entries if entry.is_file() and is_sound(entry.name)]
    if stray:
        raise HeadError(f"{source} is to hold a folder for each label, and sounds in these; it holds {_some(stray)}")
    sounds = []
    for folder in entries:
        if not folder.is_dir():
            continue
        files = sounds_below(folder)
        if not files:
            raise HeadError(f"{folder} holds no sounds ({', '.join(AUDIO)}): a folder for each label would be right")
        sounds += [LabelledSound(file, (folder.name,), None) for file in files]
    return sounds


def _from_csv(source: pathlib.Path, multi_label: bool) -> list[LabelledSound]:
    sounds: list[LabelledSound] = []
    lines: dict[pathlib.Path, int] = {}
    with open(source, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            columns = list(reader.fieldnames or ())
            if not {"path", "label"} <= set(columns):
                raise HeadError(
                    f"{source}: its first line is to name the columns path, label and, if there are folds, fold; "
                    f"it names {', '.join(columns) or 'none'}"
                )
            for row in reader:
                where = f"{source}, line {reader.line_num}"
                # DictReader has cells that are too few as None, and those that are too many under None.
                if None in row or None in row.values():
                    raise HeadError(
                        f"{where}: the first line names {len(columns)} columns, this one has another number"
                    )
                sound = _sound_of(row, source.parent, where, multi_label)
                earlier = lines.setdefault(sound.path, reader.line_num)
                if earlier != reader.line_num:
                    raise HeadError(f"{where}: {row['path']} stands in line {earlier} already")
                sounds.append(sound)
        except (UnicodeDecodeError, csv.Error) as error:
            raise HeadError(f"{source}: it is no CSV file in UTF-8: {error}") from None
    return sounds


def _sound_of(row: dict[str, str], folder: pathlib.Path, where: str, multi_label: bool) -> LabelledSound:
    path, cell = row["path"].strip(), row["label"].strip()
    fold = row["fold"].strip() if "fold" in row else None
    if not path:
        raise HeadError(f"{where}: the path is empty")
    if fold == "":
        raise HeadError(f"{where}: the fold is empty, and the file has a column for it")
    if multi_label:
        labels = tuple(label.strip() for label in cell.split(SEPARATOR)) if cell else ()
        if len(set(labels)) < len(labels) or "" in labels:
            raise HeadError(f"{where}: of the labels {cell} one is empty or stands there twice")
    else:
        labels = (cell,)
        if not cell:
            raise HeadError(f"{where}: the label is empty")
        if SEPARATOR in cell:
            raise HeadError(f"{where}: {cell} looks like several labels: --multi-label reads them as such")
    return LabelledSound(folder / path, labels, fold)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
