"""Callers of a soak: calls of every kind at random, and a ledger of what became of each."""

from __future__ import annotations

import collections
import dataclasses
import random
import threading
from collections.abc import Iterator

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from hearwire_server import MESSAGE_OPTIONS, PATIENCE, pb, pb_grpc, pcm, pcm16
from stream_calls import piece, start

NOISE = np.random.default_rng(0).normal(0, 0.1, 32000 * 30).astype(np.float32)
TIMEOUT = 120 * PATIENCE  # Of calls that are to be answered.


@dataclasses.dataclass(frozen=True)
class Ended:
    method: str
    caller: str
    code: str
    by_server: bool  # False: the client gave it up, and the server may say something else of it, or have never heard of it.


class Ledger:
    """Thread-safe. Each call is told twice: when it begins, and what became of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begun = 0
        self.ended: dict[str, Ended] = {}
        self.surprises: list[str] = []
        self.others: collections.Counter[str] = collections.Counter()  # Of health and reflection.

    def begin(self) -> str:
        with self._lock:
            self.begun += 1
            return f"soak-{self.begun}"

    def end(self, request_id: str, ended: Ended, expected: set[str], words: str) -> None:
        with self._lock:
            self.ended[request_id] = ended
            if ended.code not in expected:
                self.surprises.append(f"{request_id} {ended.method}: {ended.code} instead of {sorted(expected)}: {words}")

    def note(self, what: str) -> None:
        with self._lock:
            self.others[what] += 1


class Caller(threading.Thread):
    """One act after the other, with pauses, until `stop`. The server must believe its name."""

    def __init__(self, name: str, address: str, configs: list[str], networks: list[str], ledger: Ledger, pause: float):
        super().__init__(daemon=True, name=name)
        self._address, self._configs, self._networks, self._ledger, self._pause = address, configs, networks, ledger, pause
        self._random = random.Random(name)
        self._halt = threading.Event()
        self._channel: grpc.Channel | None = None
        self.fault: BaseException | None = None

    def stop(self) -> None:
        self._halt.set()

    def run(self) -> None:
        acts = [(50, self._good), (4, self._lists), (12, self._bad), (8, self._short), (8, self._given_up), (12, self._stream),
                (3, self._health), (2, self._reflection), (3, self._connect)]
        try:
            self._connect()
            while not self._halt.wait(self._random.expovariate(1 / self._pause)):
                [act] = self._random.choices([act for _, act in acts], [weight for weight, _ in acts])
                act()
        except BaseException as fault:  # noqa: BLE001: told by whoever joins.
            self.fault = fault
        finally:
            self._channel.close()

    def _connect(self) -> None:
        if self._channel:
            self._channel.close()
        options = [*MESSAGE_OPTIONS, ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        self._channel = grpc.insecure_channel(self._address, options=options)
        self._stub = pb_grpc.EmbeddingServiceStub(self._channel)

    def _audio(self, longest: float = 20) -> np.ndarray:
        seconds = min(max(self._random.lognormvariate(0, 1.2), 0.2), longest)
        begin = self._random.randrange(len(NOISE) - int(32000 * seconds))
        return NOISE[begin : begin + int(32000 * seconds)]

    def _clips(self) -> list["pb.Audio"]:
        rates = (8000, 16000, 32000, 44100, 48000)
        make = self._random.choice([pcm, pcm16])
        return [make(self._audio(), rate=self._random.choice(rates)) for _ in range(self._random.randint(1, 3))]

    def _request(self, method: str, clips) -> object:
        request = getattr(pb, f"{method}Request")(clips=clips)
        if method == "GetTags":
            request.network, request.top_k = self._random.choice(self._networks), 5
        elif method != "Classify":
            request.config = self._random.choice(self._configs)
        return request

    def _method(self) -> str:
        return self._random.choice(["GetSceneEmbeddings", "GetTimestampEmbeddings", "GetTags", "Classify"])

    def _call(self, method: str, request, expected: set[str], by_server: bool = True, timeout: float = TIMEOUT,
              cancel_after: float | None = None) -> None:
        """expected: codes. Answers of streams are taken to their end."""
        request_id = self._ledger.begin()
        metadata = (("x-request-id", request_id), ("x-hearwire-caller", self.name))
        words = ""
        if method == "StreamEmbeddings":
            call = self._stub.StreamEmbeddings(request, timeout=timeout, metadata=metadata)
        else:
            call = getattr(self._stub, method).future(request, timeout=timeout, metadata=metadata)
        if cancel_after is not None:
            self._halt.wait(cancel_after)
            call.cancel()
        try:
            if method == "StreamEmbeddings":
                for _ in call:
                    pass
            else:
                call.result()
            code = "OK"
        except grpc.FutureCancelledError:
            code = "CANCELLED"
        except grpc.RpcError as error:
            code, words = error.code().name, error.details()
        self._ledger.end(request_id, Ended(method, self.name, code, by_server or code == "OK"), expected, words)

    def _good(self) -> None:
        method = self._method()
        self._call(method, self._request(method, self._clips()), {"OK"})

    def _lists(self) -> None:
        method = self._random.choice(["ListConfigs", "ListHeads"])
        self._call(method, getattr(pb, f"{method}Request")(), {"OK"})

    def _bad(self) -> None:
        method = self._method()
        samples = self._audio().copy()
        kind = self._random.randrange(6)
        if kind == 0:
            clips = [pb.Audio(encoded=self._random.randbytes(self._random.randint(1, 20000)))]
        elif kind == 1:
            samples[self._random.randrange(len(samples))] = np.nan
            clips = [pcm(NOISE[:9000]), pcm(samples)]
        elif kind == 2:
            clips = []
        elif kind == 3:
            clips = [pcm(samples, rate=self._random.choice([1, 10**6]))]
        elif kind == 4:
            clips = [pcm(samples[:400])]
        else:
            clips = [pcm(samples, channels=3 if len(samples) % 3 else 5)] if len(samples) % 15 else []
        self._call(method, self._request(method, clips), {"INVALID_ARGUMENT"})

    def _short(self) -> None:
        """A deadline that may be met or not, for half a minute of audio."""
        method = self._method()
        request = self._request(method, [pcm(NOISE)])
        # RESOURCE_EXHAUSTED: an idle server would not meet it either.
        self._call(method, request, {"OK", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}, by_server=False, timeout=self._random.uniform(0.001, 0.2) * PATIENCE)

    def _given_up(self) -> None:
        method = self._method()
        request = self._request(method, [pcm(NOISE)])
        self._call(method, request, {"OK", "CANCELLED"}, by_server=False, cancel_after=self._random.uniform(0, 0.1))

    def _stream(self) -> None:
        data = self._audio().copy()
        way = self._random.choice(["whole", "whole", "broken", "cancelled", "late"])
        if way == "broken":
            data[self._random.randrange(len(data))] = np.inf
        expected = {"whole": {"OK"}, "broken": {"INVALID_ARGUMENT"}, "cancelled": {"OK", "CANCELLED"}, "late": {"DEADLINE_EXCEEDED"}}
        over = threading.Event()

        def messages() -> Iterator["pb.StreamEmbeddingsRequest"]:
            yield start(config=self._random.choice(self._configs), timestamps=True, scenes=len(data) % 2 == 0, tags_top_k=2)
            sent, size = data.tobytes(), self._random.choice([1600, 12800, 256 << 10])
            for begin in range(0, len(sent), size):
                yield piece(sent[begin : begin + size])
            if way == "late":
                over.wait(TIMEOUT)

        try:
            self._call("StreamEmbeddings", messages(), expected[way], by_server=way in ("whole", "broken"),
                       timeout=self._random.uniform(0.05, 1) if way == "late" else TIMEOUT,
                       cancel_after=self._random.uniform(0, 0.3) if way == "cancelled" else None)
        finally:
            over.set()

    def _health(self) -> None:
        stub = health_pb2_grpc.HealthStub(self._channel)
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT).status == health_pb2.HealthCheckResponse.SERVING
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
        self._ledger.note("health")

    def _reflection(self) -> None:
        ask = reflection_pb2_grpc.ServerReflectionStub(self._channel).ServerReflectionInfo
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="hearwire.v1.EmbeddingService")
        [answer] = ask(iter([request]), timeout=TIMEOUT)
        assert answer.file_descriptor_response.file_descriptor_proto
        self._ledger.note("reflection")
