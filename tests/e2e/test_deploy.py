"""What stands in deploy/ fits together: compose file, image, Prometheus, alert rules and dashboard name what there is."""

import json
import re
import subprocess

import grpc
import pytest
import yaml

from hearwire_server import BIN, PATIENCE, REPOSITORY, Server, chirp, pb, pcm

DEPLOY = REPOSITORY / "deploy"
# Labels that Prometheus adds.
SCRAPED_LABELS = {"job", "instance"}


def read_yaml(path):
    return yaml.safe_load(path.read_text())


COMPOSE = read_yaml(DEPLOY / "compose.yaml")["services"]
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/hearwire.json").read_text())
RULE_FILES = read_yaml(DEPLOY / "prometheus/prometheus.yml")["rule_files"]
RULES = [rule for file in RULE_FILES for group in read_yaml(DEPLOY / "prometheus" / file)["groups"] for rule in group["rules"]]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])
]


@pytest.fixture(scope="module")
def series(server):
    """Metric name: its labels and their values, as a server exports them that has answered one call."""
    server.stub.GetTags(pb.GetTagsRequest(clips=[pcm(chirp(0.5))]), timeout=60 * PATIENCE)
    found = {}
    for line in server.metrics().splitlines():
        if match := re.match(r"([a-z_]+)(?:\{(.*)\})? ", line):
            labels = found.setdefault(match[1], {})
            for name, value in re.findall(r'(\w+)="([^"]*)"', match[2] or ""):
                labels.setdefault(name, set()).add(value)
    return found


def test_there_are_expressions():
    assert len(RULES) >= 4 and len(EXPRESSIONS) >= 15


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_rules_and_dashboard_ask_for_metrics_that_the_server_exports(series, expression):
    names = set(re.findall(r"\b(?:hearwire|process)_[a-z_]+", expression))  # Recorded ones have a colon.
    recorded = set(re.findall(r"\bhearwire:[a-z0-9_:]+", expression))
    assert recorded <= RECORDED
    assert names or recorded or re.search(r"\bup\b", expression)
    assert names <= series.keys()
    labels = set().union(SCRAPED_LABELS, *(series[name] for name in names))
    for group in re.findall(r"\b(?:by|without) \(([^)]*)\)", expression):
        assert {label.strip() for label in group.split(",")} <= labels
    for name, matchers in re.findall(r"\b((?:hearwire|process)_[a-z_]+)\{([^}]*)\}", expression):
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            if label == "code":
                assert set(values.split("|")) <= {code.name for code in grpc.StatusCode}
            elif label not in SCRAPED_LABELS:
                assert set(values.split("|")) <= series[name][label]


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_dashboard_reads_the_provisioned_data_source(panel):
    [source] = read_yaml(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
    assert panel["targets"]
    # A legend shows labels that its expression keeps.
    for target in panel["targets"]:
        for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
            kept = re.findall(r"\bby \(([^)]*)\)", target["expr"])
            assert not kept or any(label in group for group in kept)


def test_services_find_one_another():
    [source] = read_yaml(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    prometheus = read_yaml(DEPLOY / "prometheus/prometheus.yml")
    [scrape] = prometheus["scrape_configs"]
    assert scrape["job_name"] == "hearwire"
    assert scrape["static_configs"] == [{"targets": ["hearwire:8002"]}]
    assert {"hearwire", "prometheus", "grafana"} <= COMPOSE.keys()
    for name in prometheus["rule_files"]:
        assert (DEPLOY / "prometheus" / name).is_file()


def test_compose_mounts_what_is_there_read_only_and_publishes_on_loopback():
    for name, service in COMPOSE.items():
        for volume in service["volumes"]:
            source, inside, mode = volume.split(":")
            assert mode == "ro", name
            # The folder of checkpoints is the user's.
            assert inside == "/models" or (DEPLOY / source).is_dir(), volume
        for port in service["ports"]:
            assert port.startswith("127.0.0.1:"), name
    mounted = dict(volume.split(":")[1::-1] for volume in COMPOSE["grafana"]["volumes"])
    [provider] = read_yaml(DEPLOY / "grafana/provisioning/dashboards/hearwire.yml")["providers"]
    folder = provider["options"]["path"]
    assert (DEPLOY / mounted[folder]).is_dir()
    home = COMPOSE["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DEPLOY / mounted[folder] / home.removeprefix(folder + "/")).is_file()


def test_compose_runs_the_image_as_the_dockerfile_has_it():
    hearwire = COMPOSE["hearwire"]
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    assert (DEPLOY / hearwire["build"] / "Dockerfile").samefile(REPOSITORY / "Dockerfile")
    assert hearwire["read_only"] is True and hearwire["cap_drop"] == ["ALL"]
    exposed = re.search(r"^EXPOSE (.*)$", dockerfile, re.MULTILINE)[1].split()
    assert [port.split(":")[-1] for port in hearwire["ports"]] == exposed
    assert re.search(r"^VOLUME (.*)$", dockerfile, re.MULTILINE)[1] == hearwire["volumes"][0].split(":")[1]


def check_health(server, **env: str) -> subprocess.CompletedProcess:
    """The image's HEALTHCHECK, as a container with this environment runs it."""
    command = re.search(r"^HEALTHCHECK .*\\\n *CMD (.*)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)[1]
    path = f"{BIN}:/usr/bin:/bin"
    return subprocess.run(
        ["sh", "-c", command], env={"PATH": path, "HEARWIRE_GRPC_PORT": server.address.split(":")[-1], **env},
        capture_output=True, text=True, timeout=30 * PATIENCE)


def test_the_images_health_check_works_under_tls_too(server, certificates):
    assert check_health(server).returncode == 0
    roots = {"HEARWIRE_ROOTS": str(certificates.path("ca.pem"))}
    # A name that the certificate has: what a container is asked by, 127.0.0.1, real ones do not have.
    with Server(*certificates.server_flags("wrong_name"), env=roots) as secure:
        assert "unknown" not in secure.log() and "HEARWIRE_ROOTS" not in secure.log()
        assert check_health(secure).returncode == 1
        assert check_health(secure, **roots).returncode == 1
        found = check_health(secure, **roots, HEARWIRE_SERVER_NAME="elsewhere.example")
        assert (found.returncode, found.stdout) == (0, "SERVING\n"), found.stderr
    own = {f"HEARWIRE_CLIENT_{kind}": str(certificates.path(f"client.{end}")) for kind, end in (("CERT", "pem"), ("KEY", "key"))}
    with Server(*certificates.server_flags(), f"--tls-client-ca={certificates.path('ca.pem')}") as mutual:
        assert check_health(mutual, **roots).returncode == 1
        assert check_health(mutual, **roots, **own).returncode == 0
