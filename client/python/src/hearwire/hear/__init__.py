"""HEAR's interface, a module for each config: hearwire.hear.mn10_all_b_mel_avgs, …

    module.load_model(model_file_path="") -> model
    module.get_scene_embeddings(audio, model) -> embeddings [sounds, model.scene_embedding_size]
    module.get_timestamp_embeddings(audio, model) -> embeddings [sounds, timestamps, model.timestamp_embedding_size],
                                                     timestamps [sounds, timestamps], in milliseconds

audio is a float tensor [sounds, samples] at model.sample_rate, within -1 and 1; what comes back is float32, on the
device of the audio. The server that HEARWIRE_SERVER names computes it. Without that variable, or when model_file_path
names a checkpoint, it is a server of this process's own: the program hearwire-server on PATH, or what
HEARWIRE_SERVER_PROGRAM names, or that of the wheel hearwire-server. It takes its options from the environment (HEARWIRE_MODEL_REPOSITORY=DIR: where
checkpoints are) and ends with this process.

hearwire.hear.configs() lists them.
"""

from __future__ import annotations

import csv
import pathlib

__all__ = ["configs"]


def configs() -> list[str]:
    """Every config's name, each a module of this package, whether or not a server has its network."""
    with open(pathlib.Path(__file__).with_name("configs.csv"), newline="", encoding="utf-8") as file:
        return [row["config"] for row in csv.DictReader(file)]
