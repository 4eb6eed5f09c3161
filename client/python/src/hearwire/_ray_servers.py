"""A server on each machine of a Ray cluster that has sounds to embed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from hearwire._own_server import OwnServer
from hearwire.bulk import Embedder
from hearwire.client import Client

# Recordings may be long, and nobody waits. A server's own limit is as long (--max-deadline).
DEADLINE_SECONDS = 300.0
# Ray makes actors anew that died, and asks them again.
_ACTOR = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}


class NodeServer:
    """The actor that keeps the server of its machine."""

    def __init__(self, flags: Sequence[str]):
        self._flags = flags
        self._server: Optional[OwnServer] = None

    def address(self) -> str:
        """Of a server that runs: the first, or another one when that has died."""
        if self._server is None or not self._server.is_running():
            self._server = OwnServer(self._flags)
        return self._server.address


class Pool:
    """The actor that knows the servers of all machines. They end with it."""

    def __init__(self, flags: Sequence[str]):
        self._flags = flags
        self._servers: dict[str, Any] = {}

    def server_on(self, node: str) -> Any:
        if node not in self._servers:
            here = NodeAffinitySchedulingStrategy(node, soft=False)
            self._servers[node] = ray.remote(NodeServer).options(**_ACTOR, scheduling_strategy=here).remote(self._flags)
        return self._servers[node]


class PoolEmbedder(Embedder):
    """Asks the server of the machine that it is on. The pool ends with the program that made the first of these."""

    def __init__(self, flags: Sequence[str], **named: Any):
        super().__init__(None, **named)
        self._pool: Any = ray.remote(Pool).options(**_ACTOR).remote(list(flags))

    def connect(self) -> Client:
        server: Any = ray.get(self._pool.server_on.remote(ray.get_runtime_context().get_node_id()))
        address: str = ray.get(server.address.remote())
        if self._client is None or self._client.server != address:
            self._client = Client(address, deadline=DEADLINE_SECONDS)
        return self._client
