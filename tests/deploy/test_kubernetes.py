"""What stands in deploy/kubernetes is valid, and names only what the real server has: options, ports, paths, metrics, labels."""

import copy
import functools
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.request

import kubernetes_validate
import pytest
import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/e2e"))

from certificates import Certificates  # noqa: E402
from custom_resources import is_custom, unknown_fields  # noqa: E402
from hearwire_server import BIN, PATIENCE, Server, chirp, pb, pb_grpc, pcm  # noqa: E402
from kustomize import MERGE_KEYS, identity, render  # noqa: E402
from manifest_checks import Program, environment, of_kind, pod_template, problems  # noqa: E402

KUBERNETES = REPOSITORY / "deploy/kubernetes"
OVERLAYS = ["overlays/cpu", "overlays/gpu", "overlays/tls", "kserve"]
RULES = yaml.safe_load((KUBERNETES / "autoscaling/adapter-rules.yaml").read_text())["rules"]["custom"]
# The oldest one that is still maintained somewhere, and the latest that is known.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]


def get(address, path):
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10 * PATIENCE) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(scope="module")
def program():
    """As the program tells it, and a server that has answered a call."""
    said = subprocess.run([str(BIN / "hearwire-server"), "--help"], capture_output=True, text=True, check=True).stdout
    variables = {}
    for block in re.split(r"\n(?=  -)", said):
        if match := re.search(r"\(Env:(HEARWIRE_\w+)\)", block):
            default = re.search(r"\[([^\]]*)\]\s*(?:\n\n|$)", block)
            variables[match[1]] = default[1] if default else ""
    with Server() as server:
        server.stub.GetTags(pb.GetTagsRequest(clips=[pcm(chirp(0.5))]), timeout=60 * PATIENCE)
        series: dict[str, set[str]] = {}
        for line in server.metrics().splitlines():
            if match := re.match(r"([a-z_]+)(?:\{(.*)\})? ", line):
                series.setdefault(match[1], set()).update(re.findall(r'(\w+)="', match[2] or ""))
        paths = {path for path in ("/healthz", "/readyz", "/metrics") if get(server.metrics_address, path) == 200}
    return Program(variables, series, paths)


@functools.cache
def rendered(overlay):
    return render(KUBERNETES / overlay)


def test_help_is_read(program):
    assert program.variables["HEARWIRE_LAME_DUCK"] == "2s" and program.variables["HEARWIRE_METRICS_PORT"] == "8002"
    assert len(program.variables) > 40 and len(program.paths) == 3


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_only_what_there_is(overlay, program):
    assert problems(rendered(overlay), RULES, program) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_is_valid(overlay, version):
    for resource in rendered(overlay):
        if is_custom(resource):
            assert unknown_fields(resource) == []
        else:
            kubernetes_validate.validate(resource, version, strict=True)
    for runtime in of_kind(rendered(overlay), "ServingRuntime"):  # Its containers are a pod's.
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": {"containers": runtime["spec"]["containers"]}}
        kubernetes_validate.validate(pod, version, strict=True)


def in_order(value, name=""):
    """Lists whose order says nothing, by their keys."""
    if isinstance(value, dict):
        return {key: in_order(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        items = [in_order(item) for item in value]
        key = MERGE_KEYS.get(name)
        return sorted(items, key=lambda item: str(item[key])) if key and all(key in item for item in items) else items
    return value


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl: the renderer of these tests is not compared with it")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_is_rendered_as_kubectl_does(overlay):
    said = subprocess.run(["kubectl", "kustomize", str(KUBERNETES / overlay)], capture_output=True, text=True, check=True)
    expected = {identity(one): in_order(one) for one in yaml.safe_load_all(said.stdout)}
    assert {identity(one): in_order(one) for one in rendered(overlay)} == expected


# Where, what stands there, what might by mistake, and a word of what is said of it.
MISTAKES = [
    ("overlays/cpu", "HEARWIRE_LAME_DUCK", "HEARWIRE_LAMEDUCK", "no option HEARWIRE_LAMEDUCK"),
    ("overlays/tls", "HEARWIRE_TOKENS_FILE", "HEARWIRE_TOKEN_FILE", "no option HEARWIRE_TOKEN_FILE"),
    ("kserve", "HEARWIRE_MODEL_REPOSITORY", "HEARWIRE_MODELS", "no option HEARWIRE_MODELS"),
    ("overlays/cpu", '"containerPort": 8001', '"containerPort": 8011', "nothing listens on the port 8011"),
    ("kserve", '"port": 8002', '"port": 8001', "not that of metrics"),
    ("overlays/cpu", '"/readyz"', '"/ready"', "asks for /ready"),
    ("overlays/cpu", '"path": "/metrics"', '"path": "/metric"', "asks for /metric"),
    ("overlays/cpu", '"targetPort": "grpc"', '"targetPort": "h2c"', "the port h2c"),
    ("overlays/cpu", '"port": "grpc"', '"port": "rpc"', "the port rpc"),
    ("overlays/cpu", '"name": "hearwire_load_seconds"', '"name": "hearwire_load"', "no rule of the adapter"),
    ("overlays/gpu", '"terminationGracePeriodSeconds": 45', '"terminationGracePeriodSeconds": 30', "and has 30"),
    ("overlays/cpu", '"value": "30s"', '"value": "60s"', "and has 45"),
    ("overlays/gpu", '"cpu": "8"', '"cpu": "7500m"', "no whole number"),
    ("overlays/tls", '"mountPath": "/etc/hearwire/tls"', '"mountPath": "/etc/tls"', "nothing is mounted"),
]


@pytest.mark.parametrize(("overlay", "right", "wrong", "said"), MISTAKES)
def test_a_mistake_is_seen(overlay, right, wrong, said, program):
    text = json.dumps(rendered(overlay))
    assert right in text
    found = problems(json.loads(text.replace(right, wrong)), RULES, program)
    assert any(said in one for one in found), found


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("hearwire_load_seconds{", "hearwire_load_second{", "no metric hearwire_load_second"),
        ("/ hearwire_workers", "/ hearwire_worker", "no metric hearwire_worker"),
        ('namespace!=""', 'name_space!=""', "the label name_space"),
        ('"as": "hearwire_utilisation"', '"as": "hearwire_utilization"', "hearwire_utilisation, which no rule"),
    ],
)
def test_a_mistake_in_the_adapters_rules_is_seen(right, wrong, said, program):
    text = json.dumps(RULES)
    right, wrong = (json.dumps(one)[1:-1] if '!=' in one else one for one in (right, wrong))
    assert right in text
    found = problems(rendered("overlays/cpu"), json.loads(text.replace(right, wrong)), program)
    assert any(said in one for one in found), found


@pytest.mark.parametrize("label", ["Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "Deployment"])
def test_a_label_that_is_no_pods_is_seen(label, program):
    resources = copy.deepcopy(rendered("overlays/cpu"))
    for resource in of_kind(resources, label):
        spec = resource["spec"]
        selector = spec.get("selector") or spec["podSelector"]
        selector = selector.get("matchLabels", selector)
        selector["app.kubernetes.io/name"] = "heerwire"
    assert problems(resources, RULES, program) != []


@pytest.mark.parametrize("kind", ["ServiceMonitor", "ServingRuntime", "InferenceService"])
def test_a_field_that_custom_resources_do_not_have_is_seen(kind):
    [resource] = of_kind(rendered("overlays/cpu") + rendered("kserve"), kind)
    wrong = copy.deepcopy(resource)
    wrong["spec"]["selectors"] = {}
    assert unknown_fields(wrong) == [f"{kind}.spec has no field selectors"]
    with pytest.raises(Exception, match="minReplica"):
        scaler = copy.deepcopy(of_kind(rendered("overlays/cpu"), "HorizontalPodAutoscaler")[0])
        scaler["spec"]["minReplica"] = 3
        kubernetes_validate.validate(scaler, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("overlay", ["overlays/cpu", "overlays/tls", "kserve"])
def test_a_server_with_its_variables_starts_and_its_probes_pass(overlay, tmp_path):
    """Under TLS and tokens too. Files that the cluster would mount are put where the variables say, below a folder of the test's."""
    certificates = Certificates(tmp_path)
    (tmp_path / "tokens").write_text(hashlib.sha256(b"secret").hexdigest() + " caller\n")
    (tmp_path / "models").mkdir()
    files = {
        "/etc/hearwire/tls/tls.crt": certificates.path("server.pem"),
        "/etc/hearwire/tls/tls.key": certificates.path("server.key"),
        "/etc/hearwire/tokens/tokens": tmp_path / "tokens",
        "/mnt/models": tmp_path / "models",
    }
    [pod] = of_kind(rendered(overlay), "Deployment") + of_kind(rendered(overlay), "ServingRuntime")
    [container] = pod_template(pod)[0]["containers"]
    variables = {name: str(files.get(value, value)) for name, value in environment(container).items()}
    with Server("--host=127.0.0.1", env=variables) as server:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert get(server.metrics_address, container[probe]["httpGet"]["path"]) == 200
        request = pb.GetTagsRequest(clips=[pcm(chirp(0.5))])
        if overlay == "overlays/tls":
            stub = pb_grpc.EmbeddingServiceStub(certificates.channel(server.address))
            with pytest.raises(Exception, match="UNAUTHENTICATED"):
                stub.GetTags(request, timeout=60 * PATIENCE)
            stub.GetTags(request, timeout=60 * PATIENCE, metadata=[("authorization", "Bearer secret")])
        else:
            server.stub.GetTags(request, timeout=60 * PATIENCE)


def test_the_adapters_rules_compute_what_the_recording_rules_do(tmp_path):
    """By promtool, on the series of two pods, one of them with a GPU."""
    promtool = shutil.which("promtool") or str(REPOSITORY / ".deps/promtool")
    if not pathlib.Path(promtool).exists():
        pytest.skip("no promtool: scripts/lint fetches it")
    series, expected = [], {"hearwire_load_seconds": [], "hearwire_utilisation": []}
    for pod, devices in {"a": {"cpu": (0.25, 6, 2)}, "b": {"cpu": (0, 3, 4), "cuda:0": (0.5, 24, 2)}}.items():
        for device, (load, busy, workers) in devices.items():
            labels = f'{{namespace="n", pod="{pod}", service="s", device="{device}"}}'
            series += [{"series": f"hearwire_load_seconds{labels}", "values": f"{load}x20"},
                       {"series": f"hearwire_worker_busy_seconds_total{labels}", "values": f"0+{busy}x20"},
                       {"series": f"hearwire_workers{labels}", "values": f"{workers}x20"}]
        expected["hearwire_load_seconds"].append({"labels": f'{{pod="{pod}"}}', "value": max(one[0] for one in devices.values())})
        busiest = max(busy / 15 / workers for _, busy, workers in devices.values())
        expected["hearwire_utilisation"].append({"labels": f'{{pod="{pod}"}}', "value": busiest})
    asked = [
        {"expr": rule["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'namespace="n",pod=~"a|b"'),
         "eval_time": "4m", "exp_samples": expected[rule["name"]["as"]]}
        for rule in RULES
    ]
    test = {"evaluation_interval": "15s", "tests": [{"interval": "15s", "input_series": series, "promql_expr_test": asked}]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    said = subprocess.run([promtool, "test", "rules", str(tmp_path / "test.yml")], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
