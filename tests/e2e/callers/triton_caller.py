"""Asks by tritonclient, as its own documentation does it. Usage: triton_caller.py ADDRESS CONFIG CLIPS < float32 samples

Writes EMBEDDING of the timestamps twice to standard output, by infer and by async_infer, and what else it is told to
standard error. Runs in the environment of scripts/triton-requirements.txt.
"""

import queue
import sys

import numpy as np
import tritonclient.grpc as triton

address, config, clips = sys.argv[1], sys.argv[2], int(sys.argv[3])
samples = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(clips, -1)
model = f"{config}.timestamps"

client = triton.InferenceServerClient(address)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
metadata = client.get_model_metadata(model)
assert [output.name for output in metadata.outputs] == ["EMBEDDING", "TIMESTAMPS"], metadata
assert client.get_server_metadata().name == "hearwire"
assert client.get_model_config(model).config.max_batch_size > 1
for entry in client.get_model_repository_index(as_json=True)["models"]:
    if entry["state"] == "READY":
        print(f"<{entry['name']}>", file=sys.stderr)

wave = triton.InferInput("WAVE", list(samples.shape), "FP32")
wave.set_data_from_numpy(samples)
wanted = [triton.InferRequestedOutput("EMBEDDING")]
result = client.infer(model, [wave], outputs=wanted, request_id="9", parameters={"sample_rate": 32000})
assert result.get_response().id == "9" and result.as_numpy("TIMESTAMPS") is None
sys.stdout.buffer.write(result.as_numpy("EMBEDDING").tobytes())

answers = queue.Queue()
client.async_infer(model, [wave], callback=lambda result, error: answers.put((result, error)))
result, error = answers.get(timeout=60)
assert error is None, error
assert result.as_numpy("TIMESTAMPS").shape == result.as_numpy("EMBEDDING").shape[:2]
sys.stdout.buffer.write(result.as_numpy("EMBEDDING").tobytes())

sound = triton.InferInput("AUDIO", [1], "BYTES")
sound.set_data_from_numpy(np.array([b"no sound"], dtype=object))
try:
    client.infer(f"{config}.scene", [sound])
    raise AssertionError("a bad file was taken")
except triton.InferenceServerException as error:
    assert error.status() == "StatusCode.INVALID_ARGUMENT" and "AUDIO[0]" in error.message(), error

statistics = client.get_inference_statistics(model).model_stats[0]
assert statistics.inference_count >= 2 * clips, statistics
