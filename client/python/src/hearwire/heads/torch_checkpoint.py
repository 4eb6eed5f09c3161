"""Reads the checkpoints that PyTorch Lightning writes for heareval, and executes nothing in them."""

from __future__ import annotations

import dataclasses
import io
import pathlib
import re
from typing import Any, Optional

import numpy.typing as npt

from hearwire.heads.errors import HeadError


@dataclasses.dataclass(frozen=True, eq=False)
class TorchCheckpoint:
    path: pathlib.Path
    parameters: dict[str, npt.NDArray[Any]]  # By their names.
    epoch: int
    score: Optional[float]  # Best of the validation, by which the checkpoint was kept; None: it does not say.


def read_torch_checkpoint(path: pathlib.Path) -> TorchCheckpoint:
    """Raises HeadError for a file that is no such checkpoint, and where there is no PyTorch; OSError."""
    try:
        import torch
        from torch.serialization import safe_globals
    except ImportError:
        raise HeadError(
            "heareval's checkpoints are PyTorch's: pip install 'torch>=2.5' brings what reads them"
        ) from None

    # What heareval's grid of hyperparameters names. PyTorch refuses all else.
    named = [
        torch.nn.BatchNorm1d,
        torch.nn.Identity,
        torch.nn.LayerNorm,
        torch.nn.init.xavier_normal_,
        torch.nn.init.xavier_uniform_,
        torch.optim.Adam,
        torch.optim.SGD,
    ]
    content = io.BytesIO(path.read_bytes())
    try:
        with safe_globals(named):
            found = torch.load(content, map_location="cpu", weights_only=True)
    except Exception as error:  # A damaged file makes PyTorch raise whatever it comes upon.
        raise HeadError(f"{path} is damaged, or no checkpoint of heareval{_said_of(error)}") from None
    try:
        parameters = {name: values.float().numpy() for name, values in found["state_dict"].items()}
        return TorchCheckpoint(path, parameters, int(found["epoch"]), _score(found["callbacks"]))
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise HeadError(f"{path} is no checkpoint of heareval: {error!r}") from None


def _score(callbacks: Any) -> Optional[float]:
    for state in callbacks.values():
        if state.get("best_model_score") is not None:
            return float(state["best_model_score"])
    return None


def _said_of(error: Exception) -> str:
    """PyTorch's message is not given as a whole: it advises to load the file in a way that would execute it."""
    found = re.search(r"GLOBAL:? ([\w.]+)", str(error))
    return f": it names {found.group(1)}, which has no place in one; nothing of it was executed" if found else ""
