"""Callers share batches and workers, and each gets the bits that it would get alone from a single worker."""

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
    # A scene of several windows, which workers share.
    long = np.random.default_rng(0).normal(0, 0.1, 32000 * 17)
    requests.append(("scene", configs[-1], [pcm(long)]))
    return requests


def ask(server, kind, config, clips):
    if kind == "scene":
        request = pb.GetSceneEmbeddingsRequest(config=config, clips=clips)
        return [array(server.stub.GetSceneEmbeddings(request, timeout=300).embeddings)]
    request = pb.GetTimestampEmbeddingsRequest(config=config, clips=clips)
    return [array(c.embeddings) for c in server.stub.GetTimestampEmbeddings(request, timeout=300).clips]


def ask_alone(server, requests):
    replies = [ask(server, *request) for request in requests]
    assert server.metric("hearwire_batch_calls_sum") == server.metric("hearwire_batch_calls_count")
    return replies


def ask_together(server, requests):
    replies: list = [None] * len(requests)
    start = threading.Barrier(CALLERS)

    def caller(number):
        start.wait()
        for i in range(number, len(requests), CALLERS):
            replies[i] = ask(server, *requests[i])

    threads = [threading.Thread(target=caller, args=(n,)) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Some batches held windows of several calls.
    assert server.metric("hearwire_batch_calls_sum") > server.metric("hearwire_batch_calls_count")
    assert server.metric("hearwire_requests_total", code="OK") == len(requests)
    return replies


def check(configs, *flags):
    requests = make_requests(configs)
    with Server("--backend=native", "--workers=1", *flags) as server:
        alone = ask_alone(server, requests)
    for workers in (1, 3):
        with Server("--backend=native", f"--workers={workers}", "--max-queue-time=1h", *flags) as server:
            together = ask_together(server, requests)
        for expected, found, request in zip(alone, together, requests):
            assert found is not None, f"no answer for {request[:2]}"
            for one, other in zip(expected, found):
                np.testing.assert_array_equal(one, other, f"{request[:2]} differs in company, {workers} workers")


def test_embedded_network():
    check(["hearwire_mn01_all_b_mel_avgs"])


def test_mixed_configs_of_several_networks(shared, tmp_path):
    checkpoints = shared / "golden/checkpoints"
    (tmp_path / "mn01_as.pt").symlink_to(checkpoints / "mn01_as_seeded.pt")
    (tmp_path / "mn04_as_mAP_432.pt").symlink_to(checkpoints / "mn04_as_mAP_432.pt")
    check(
        [
            "hearwire_mn01_all_b_mel_avgs",
            "mn01_all_b_mel_avgs",
            "mn01_all_b_avg_time_pool",
            "mn01_all_b_avg_max_time_pool",
            "mn04_all_b_mel_avgs",
        ],
        f"--model-repository={tmp_path}",
    )
