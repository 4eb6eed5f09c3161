"""Which files are sounds."""

from __future__ import annotations

import os
import pathlib
from typing import Union

# What the server decodes, then what ffmpeg does.
AUDIO = (
    *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".w64"),
    *(".wav", ".wave", ".3gp", ".aac", ".ac3", ".amr", ".ape", ".dsf", ".dts", ".m4a", ".m4b", ".mka", ".mp+", ".mpc"),
    *(".tta", ".weba", ".webm", ".wma", ".wv"),
)


def is_sound(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(AUDIO)


def sounds_below(folder: Union[str, os.PathLike[str]]) -> list[pathlib.Path]:
    """Sorted, without hidden folders and files."""
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [pathlib.Path(where, name) for name in files if is_sound(name)]
    return sorted(found)
