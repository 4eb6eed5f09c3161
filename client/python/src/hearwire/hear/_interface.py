"""What the modules of the configs share."""

from __future__ import annotations

import csv
import os
import pathlib
import tempfile
import threading
import weakref
from collections.abc import Iterable
from typing import Optional, Union

import grpc
import numpy as np

try:
    import torch
except ImportError as error:
    raise ImportError("HEAR's interface speaks PyTorch's tensors: pip install 'hearwire[hear]' brings it") from error

from hearwire._channel import MOST_MESSAGE_BYTES
from hearwire._own_server import OwnServer, server_program
from hearwire.client import Client
from hearwire.errors import HearwireError
from hearwire.replies import ConfigInfo

# Long recordings on wide networks take their time; a server bounds it further by its --max-deadline.
DEADLINE_SECONDS = 300.0
OWN_DEADLINE_SECONDS = 3600.0
# HEAR's sounds last up to 20 minutes: 154 MB at 32 kHz, whose timestamps are up to 811 MB (mn30_all_b_avg_time_pool)
# of windows of up to 3.1 million spectrogram frames (1280 ms every 50 ms). A server's defaults are not made for that.
OWN_LIMITS = {
    "HEARWIRE_MAX_MESSAGE_BYTES": "1GiB",
    "HEARWIRE_MAX_REPLY_BYTES": "1GiB",
    "HEARWIRE_MAX_QUEUED_FRAMES": str(1 << 24),
    "HEARWIRE_MAX_DEADLINE": f"{OWN_DEADLINE_SECONDS:g}s",
}
# A request for each sound, some at once, but no more audio than one of the longest sounds is: else long ones together
# fill the server's queue.
MOST_IN_FLIGHT = 16
BYTES_IN_FLIGHT = 20 * 60 * 32_000 * 4
EMBEDDED_NETWORK = "hearwire_mn01"


class _SharedServer:
    """A server of this process's own, which ends with the last use of this object."""

    def __init__(self, server: OwnServer):
        self.server = server
        weakref.finalize(self, server.stop)


# What a file is: where it really is, when it was changed, its size, its inode.
_Identity = tuple[str, int, int, int]

_lock = threading.Lock()
# By network, program, and what holds the checkpoint; guarded by _lock.
_own_servers: weakref.WeakValueDictionary[tuple[object, ...], _SharedServer] = weakref.WeakValueDictionary()
# Who uses one. It is the client that needs it, which may outlive its model.
_users: weakref.WeakKeyDictionary[Client, _SharedServer] = weakref.WeakKeyDictionary()


class HearModel(torch.nn.Module):
    """A config as HEAR's tools know models. It has no weights here: the server has them."""

    sample_rate: int
    scene_embedding_size: int
    timestamp_embedding_size: int

    def __init__(self, client: Client, info: ConfigInfo, server: str, model_file_path: str):
        """server: as HEARWIRE_SERVER named it; empty: one of this process's own, with the checkpoint of
        model_file_path, if that is not empty."""
        super().__init__()
        self._loaded_from = (info.name, model_file_path, server)
        self.client = client
        self.config = info.name
        self.sample_rate = info.sample_rate
        self.scene_embedding_size = info.scene_embedding_size
        self.timestamp_embedding_size = info.timestamp_embedding_size

    def __reduce__(self) -> tuple[object, ...]:
        """What is unpickled connects anew: to the same server, or in another process to one of that process's own."""
        return load_config, self._loaded_from

    def extra_repr(self) -> str:
        return f"{self.config}, server={self.client.server}"


def load_config(config: str, model_file_path: str = "", named_server: Optional[str] = None) -> HearModel:
    """Raises RuntimeError or HearwireError when no server computes the config, FileNotFoundError when there is no file.

    model_file_path: a checkpoint of its network, for a server of its own, whatever HEARWIRE_SERVER names.
    named_server: instead of what HEARWIRE_SERVER names; empty: one of this process's own.
    """
    named = "" if model_file_path else named_server if named_server is not None else os.environ.get("HEARWIRE_SERVER", "")
    server = named
    deadline, own = DEADLINE_SECONDS, None
    if not server:
        own = _own_server(config, model_file_path)
        server, deadline = own.server.address, OWN_DEADLINE_SECONDS
    # What is too large for it the server itself says.
    client = Client(
        server, deadline=deadline, max_message_bytes=MOST_MESSAGE_BYTES, max_reply_bytes=MOST_MESSAGE_BYTES
    )
    if own is not None:
        _users[client] = own
    info = next((info for info in client.list_configs() if info.name == config), None)
    if info is None:
        raise HearwireError(
            grpc.StatusCode.NOT_FOUND, f"the server at {server} knows no config {config}", "UNKNOWN_CONFIG"
        )
    if not info.loaded:
        raise HearwireError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"the server at {server} does not have the network {info.network}, which {config} needs: "
            f"hearwire checkpoints fetch {info.network} --into DIR, and start it with --model-repository DIR",
            "NETWORK_NOT_LOADED",
        )
    return HearModel(client, info, named, model_file_path)


def get_scene_embeddings(audio: torch.Tensor, model: HearModel) -> torch.Tensor:
    """Returns float32 [sounds, model.scene_embedding_size]. Raises ValueError for audio of another shape or kind."""
    sounds = _sounds(audio, model)
    replies = model.client.map_scene_embeddings(
        sounds, model.config, sample_rate=model.sample_rate, in_flight=_in_flight(sounds), progress=False
    )
    rows = [reply.embeddings[0] for reply in replies]
    return _tensor(rows, (len(rows), model.scene_embedding_size), audio)


def get_timestamp_embeddings(audio: torch.Tensor, model: HearModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns float32 [sounds, timestamps, model.timestamp_embedding_size] and their milliseconds [sounds, timestamps].

    Raises ValueError for audio of another shape or kind.
    """
    sounds = _sounds(audio, model)
    replies = model.client.map_timestamp_embeddings(
        sounds, model.config, sample_rate=model.sample_rate, in_flight=_in_flight(sounds), progress=False
    )
    answers = [reply.clips[0] for reply in replies]
    shape = (len(answers), len(answers[0].timestamps_ms) if answers else 0)
    embeddings = _tensor((answer.embeddings for answer in answers), (*shape, model.timestamp_embedding_size), audio)
    return embeddings, _tensor((answer.timestamps_ms for answer in answers), shape, audio)


def _sounds(audio: torch.Tensor, model: HearModel) -> list[np.ndarray]:
    if not isinstance(model, HearModel):
        raise ValueError(f"the model is a {type(model).__name__}: what load_model returns would be right")
    if not isinstance(audio, torch.Tensor):
        raise ValueError(f"audio is a {type(audio).__name__}: a tensor would be right, such as torch.from_numpy(audio)")
    if audio.ndim != 2:
        raise ValueError(f"audio of shape {tuple(audio.shape)}: [sounds, samples] would be right")
    if not audio.is_floating_point():
        raise ValueError(f"audio of {audio.dtype}: floats within -1 and 1 would be right")
    return list(audio.detach().to("cpu", torch.float32).numpy())


def _in_flight(sounds: list[np.ndarray]) -> int:
    """How many requests may be under way at once; the sounds are equally long."""
    if not sounds:
        return 1
    return max(1, min(MOST_IN_FLIGHT, BYTES_IN_FLIGHT // max(1, sounds[0].nbytes)))


def _tensor(rows: Iterable[np.ndarray], shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    values = np.empty(shape, np.float32)
    for i, row in enumerate(rows):
        values[i] = row
    return torch.from_numpy(values).to(like.device)


def _own_server(config: str, model_file_path: str) -> _SharedServer:
    """This process's server for the config's network and that checkpoint, as the file is now."""
    network = _network(config)
    file = os.path.abspath(model_file_path) if model_file_path else ""
    if file and network == EMBEDDED_NETWORK:
        raise ValueError(f"{config} takes no model_file_path: the server holds its network {network} itself")
    if file and not os.path.isfile(file):
        raise FileNotFoundError(f"model_file_path={file}: there is no such file")
    # Seen before the server reads it: should it change meanwhile, the next call starts another server.
    checkpoint = _identity(file) if file else _in_repository(network)
    key = (network, _identity(server_program()), checkpoint)
    with _lock:
        own = _own_servers.get(key)
        if own is None or not own.server.is_running():
            own = _own_servers[key] = _SharedServer(_start(config, network, file))
        return own


def _identity(file: Union[str, pathlib.Path]) -> _Identity:
    status = os.stat(file)
    return os.path.realpath(file), status.st_mtime_ns, status.st_size, status.st_ino


def _in_repository(network: str) -> tuple[object, ...]:
    """The folder of HEARWIRE_MODEL_REPOSITORY and the network's files there: its own name's, and as published."""
    folder = os.environ.get("HEARWIRE_MODEL_REPOSITORY", "")
    if not folder:
        return ()
    path = pathlib.Path(folder)
    files = [*path.glob(f"{network}.pt"), *sorted(path.glob(f"{network}_mAP_*.pt"))]
    # A link that leads nowhere the server refuses.
    return os.path.realpath(folder), *((file.name, _identity(file)) for file in files if file.exists())


def _start(config: str, network: str, file: str) -> OwnServer:
    arguments = [f"--networks={network}", f"--default-config={config}"]
    if not file:
        return _start_on_repository(arguments, network)
    # The server finds a checkpoint by its network's name, reads it, and does not come back to it.
    with tempfile.TemporaryDirectory(prefix="hearwire-") as repository:
        link = os.path.join(repository, f"{network}.pt")
        os.symlink(file, link)
        try:
            return OwnServer([f"--model-repository={repository}", *arguments], OWN_LIMITS)
        except RuntimeError as error:
            raise RuntimeError(str(error).replace(link, file)) from None


def _start_on_repository(arguments: list[str], network: str) -> OwnServer:
    try:
        return OwnServer(arguments, OWN_LIMITS)
    except RuntimeError as error:
        # Of other troubles, such as a program that is not there, the error says all.
        if network == EMBEDDED_NETWORK or network not in str(error):
            raise
        raise RuntimeError(
            f"{error}\nA server of this process's own finds the checkpoint of {network} in the folder that "
            "HEARWIRE_MODEL_REPOSITORY names, or is given it by load_model(FILE)"
        ) from None


def _network(config: str) -> str:
    with open(pathlib.Path(__file__).with_name("configs.csv"), newline="", encoding="utf-8") as file:
        return next(row["network"] for row in csv.DictReader(file) if row["config"] == config)
