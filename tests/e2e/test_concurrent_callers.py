"""Callers share batches, and each gets what it would get alone."""

import random
import threading

import numpy as np

from hearwire_server import Server, array, pb, pcm

CALLERS = 32
CALLS_EACH = 3


def make_requests(configs):
    """One request per call, of mixed configs, kinds and lengths, from a fixed seed."""
    draw = random.Random(7)
    requests = []
    for i in range(CALLERS * CALLS_EACH):
        noise = np.random.default_rng(i)
        clips = [
            pcm(noise.normal(0, 0.1, int(32000 * draw.choice([0.2, 0.35, 0.8, 1.5, 3.0]))))
            for _ in range(draw.choice([1, 1, 2]))
        ]
        config = draw.choice(configs)
        kind = draw.choice(["scene", "timestamps"])
        requests.append((kind, config, clips))
    return requests


def ask(server, kind, config, clips):
    if kind == "scene":
        request = pb.GetSceneEmbeddingsRequest(config=config, clips=clips)
        return [array(server.stub.GetSceneEmbeddings(request, timeout=300).embeddings)]
    request = pb.GetTimestampEmbeddingsRequest(config=config, clips=clips)
    return [array(c.embeddings) for c in server.stub.GetTimestampEmbeddings(request, timeout=300).clips]


def check(server, configs):
    requests = make_requests(configs)
    alone = [ask(server, *request) for request in requests]
    assert server.metric("hearwire_batch_calls_sum") == server.metric("hearwire_batch_calls_count")

    together: list = [None] * len(requests)
    start = threading.Barrier(CALLERS)

    def caller(number):
        start.wait()
        for i in range(number, len(requests), CALLERS):
            together[i] = ask(server, *requests[i])

    threads = [threading.Thread(target=caller, args=(n,)) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for expected, found, request in zip(alone, together, requests):
        assert found is not None, f"no answer for {request[:2]}"
        for one, other in zip(expected, found):
            limit = 1e-5 * max(1.0, np.abs(one).max())
            assert np.abs(one - other).max() <= limit, f"{request[:2]} differs in company"
    # Some batches held windows of several calls.
    assert server.metric("hearwire_batch_calls_sum") > server.metric("hearwire_batch_calls_count")
    assert server.metric("hearwire_requests_total", code="OK") == 2 * len(requests)


def test_embedded_network():
    with Server() as server:
        check(server, ["hearwire_mn01_all_b_mel_avgs"])


def test_mixed_configs_of_several_networks(shared, tmp_path):
    checkpoints = shared / "golden/checkpoints"
    (tmp_path / "mn01_as.pt").symlink_to(checkpoints / "mn01_as_seeded.pt")
    (tmp_path / "mn04_as_mAP_432.pt").symlink_to(checkpoints / "mn04_as_mAP_432.pt")
    with Server(f"--model-repository={tmp_path}") as server:
        check(
            server,
            [
                "hearwire_mn01_all_b_mel_avgs",
                "mn01_all_b_mel_avgs",
                "mn01_all_b_avg_time_pool",
                "mn01_all_b_avg_max_time_pool",
                "mn04_all_b_mel_avgs",
            ],
        )
