"""Client of Hearwire, a gRPC service that turns audio into embeddings and tags.

    with hearwire.Client("127.0.0.1:8001") as client:
        reply = client.get_scene_embeddings(["dog.wav"])
        reply.embeddings  # numpy, [clips, scene_embedding_size]

hearwire.hear.<config> are modules with HEAR's interface.
"""

from hearwire._version import __version__
from hearwire.async_client import AsyncClient
from hearwire.audio import Audio, Clip, Encoding
from hearwire.client import Client
from hearwire.errors import FieldViolation, HearwireError
from hearwire.replies import (
    Classifications,
    ClipTimestampEmbeddings,
    ConfigInfo,
    EmbeddingSpace,
    HeadAnswer,
    HeadInfo,
    HeadRows,
    Label,
    LabelRow,
    NameChanges,
    ReloadChanges,
    SceneEmbeddings,
    SceneWindow,
    ServerLimits,
    ServingStatus,
    StreamEvent,
    StreamStarted,
    StreamSummary,
    Tag,
    Tags,
    TimestampEmbeddings,
    Timings,
)

__all__ = [
    "AsyncClient",
    "Audio",
    "Classifications",
    "Client",
    "Clip",
    "ClipTimestampEmbeddings",
    "ConfigInfo",
    "EmbeddingSpace",
    "Encoding",
    "FieldViolation",
    "HeadAnswer",
    "HeadInfo",
    "HeadRows",
    "HearwireError",
    "Label",
    "LabelRow",
    "NameChanges",
    "ReloadChanges",
    "SceneEmbeddings",
    "SceneWindow",
    "ServerLimits",
    "ServingStatus",
    "StreamEvent",
    "StreamStarted",
    "StreamSummary",
    "Tag",
    "Tags",
    "TimestampEmbeddings",
    "Timings",
    "__version__",
]
