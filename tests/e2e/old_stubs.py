"""A client and a server of version 0.1.0, in a process of their own: they know nothing of the proto but what it was then.

    old_stubs.py FOLDER client ADDRESS       calls all four methods, prints what came as JSON
    old_stubs.py FOLDER server ADDRESS       answers as it was answered then, with what the server at ADDRESS says; prints
                                             where it listens, and ends when its standard input does

FOLDER has the stubs, generated from tests/proto/0.1.0.
"""

import concurrent.futures
import json
import sys

sys.path.insert(0, sys.argv[1])

import grpc  # noqa: E402
from hearwire.v1 import embedding_pb2 as pb  # noqa: E402
from hearwire.v1 import embedding_pb2_grpc as pb_grpc  # noqa: E402

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
METHODS = {
    "GetSceneEmbeddings": pb.GetSceneEmbeddingsRequest,
    "GetTimestampEmbeddings": pb.GetTimestampEmbeddingsRequest,
    "GetTags": pb.GetTagsRequest,
    "ListConfigs": pb.ListConfigsRequest,
}


def client(stub) -> None:
    """The clip's samples are in standard input: float32 at 32 kHz."""
    pcm = pb.Pcm(encoding=pb.Pcm.FLOAT32, sample_rate_hertz=32000, channel_count=1, samples=sys.stdin.buffer.read())
    clips = [pb.Audio(pcm=pcm)]
    scenes = stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(clips=clips), timeout=60)
    rows = stub.GetTimestampEmbeddings(
        pb.GetTimestampEmbeddingsRequest(clips=clips, element_type=pb.ELEMENT_TYPE_FLOAT16), timeout=60)
    tags = stub.GetTags(pb.GetTagsRequest(clips=clips, top_k=3), timeout=60)
    configs = stub.ListConfigs(pb.ListConfigsRequest(loaded_only=True), timeout=60)
    try:
        stub.GetSceneEmbeddings(pb.GetSceneEmbeddingsRequest(config="none", clips=clips), timeout=60)
        unknown = "OK"
    except grpc.RpcError as error:
        unknown = error.code().name
    print(json.dumps({
        "scene": scenes.embeddings.data.hex(),
        "space": [scenes.space.config, scenes.space.frontend, scenes.space.precision, scenes.space.weights_sha256],
        "rows": rows.clips[0].embeddings.data.hex(),
        "times": list(rows.clips[0].timestamps_ms),
        "tags": [[tag.index, tag.name, tag.probability] for tag in tags.clips[0].tags],
        "configs": [[config.name, config.is_default, config.scene_embedding_size] for config in configs.configs],
        "unknown_config": unknown,
    }))


class Server(pb_grpc.EmbeddingServiceServicer):
    """What it does not know of requests and replies is dropped, as a server of then would not have had it."""

    def __init__(self, stub):
        for name in METHODS:
            setattr(self, name, self._answer(getattr(stub, name)))

    @staticmethod
    def _answer(ask):
        def answer(request, context):
            request.DiscardUnknownFields()
            try:
                reply = ask(request, timeout=60)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            reply.DiscardUnknownFields()
            return reply

        return answer


def main() -> None:
    _, _, role, address = sys.argv
    stub = pb_grpc.EmbeddingServiceStub(grpc.insecure_channel(address, options=OPTIONS))
    if role == "client":
        return client(stub)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), options=OPTIONS)
    pb_grpc.add_EmbeddingServiceServicer_to_server(Server(stub), server)
    print(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}", flush=True)
    server.start()
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
