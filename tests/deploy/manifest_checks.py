"""What must hold between manifests and the program that they run. Each check yields sentences, one for each thing that is wrong."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

Resource = dict[str, Any]

# Labels that Prometheus adds to what it finds by a ServiceMonitor.
DISCOVERED = {"namespace", "pod", "service", "instance", "job", "endpoint", "container"}


@dataclasses.dataclass
class Program:
    """What the real server says of itself."""

    variables: dict[str, str]  # HEARWIRE_…: its default, as --help has it; "" where it has none.
    series: dict[str, set[str]]  # Metric: its labels, after a call.
    paths: set[str]  # Of the metrics port, that are 200.


def of_kind(resources: list[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource["kind"] == kind]


def pod_template(resource: Resource) -> tuple[Resource, dict[str, str]]:
    """Its pod's spec and labels. A ServingRuntime's pods have labels of KServe's own."""
    if resource["kind"] == "ServingRuntime":
        return resource["spec"], {}
    template = resource["spec"]["template"]
    return template["spec"], template["metadata"]["labels"]


def seconds(text: str) -> float:
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    assert parts and "".join(number + unit for number, unit in parts) == text, f"{text} is no time"
    return sum(float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit] for number, unit in parts)


def environment(container: Resource) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container.get("env", [])}


def check_container(container: Resource, program: Program) -> Iterator[str]:
    own = environment(container)
    for name in own:
        if name not in program.variables:
            yield f"the server has no option {name}"
    if "args" in container or "command" in container:
        yield "options are variables here: what overlays add to arguments would replace them"

    def value(name: str) -> str:
        return own.get(name, program.variables.get(name, ""))

    served = {int(value("HEARWIRE_GRPC_PORT")), int(value("HEARWIRE_METRICS_PORT"))}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for name, port in ports.items():
        if port not in served:
            yield f"nothing listens on the port {port} ({name})"
    if value("HEARWIRE_HOST") != "0.0.0.0":
        yield "the server listens for its own container alone"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe not in container:
            yield f"there is no {probe}"
            continue
        http = container[probe]["httpGet"]
        port = ports.get(http["port"], http["port"]) if isinstance(http["port"], str) else http["port"]
        if port != int(value("HEARWIRE_METRICS_PORT")):
            yield f"{probe} asks port {http['port']}, which is not that of metrics"
        if http["path"] not in program.paths:
            yield f"{probe} asks for {http['path']}, where there is nothing"
    if container["livenessProbe"]["httpGet"]["path"] != "/healthz":
        yield "a server that drains or starts is alive: liveness is /healthz"

    resources = container["resources"]
    if not re.fullmatch(r"\d+", resources["limits"]["cpu"]):
        yield f"the limit of {resources['limits']['cpu']} CPUs is no whole number: a worker more than that would be throttled"
    for name in ("cpu", "memory"):
        if resources["requests"].get(name) != resources["limits"].get(name):
            yield f"request and limit of {name} differ: the server sizes itself by the limit"


def check_pod(resource: Resource, program: Program) -> Iterator[str]:
    spec, labels = pod_template(resource)
    [container] = spec["containers"]
    yield from check_container(container, program)
    own = environment(container)
    stop = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    if stop[0] != "sleep" or len(stop) != 2:
        yield f"preStop is not a pause: {stop}"
    times = [own.get(name, program.variables.get(name, "")) for name in ("HEARWIRE_LAME_DUCK", "HEARWIRE_DRAIN_DEADLINE")]
    needed = float(stop[1]) + sum(map(seconds, times)) + 1  # A second for what is told at the end.
    grace = spec.get("terminationGracePeriodSeconds", 30)
    if grace < needed:
        yield f"a server needs {needed:g} s to end, and has {grace}"
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    mounts = container.get("volumeMounts", [])
    for mount in mounts:
        if mount["name"] not in volumes:
            yield f"there is no volume {mount['name']}"
        if "subPath" in mount:
            yield f"{mount['mountPath']} would never be renewed (subPath)"
    for name, path in own.items():
        if path.startswith("/") and not path.startswith("/mnt/models"):
            if not any(path.startswith(mount["mountPath"] + "/") for mount in mounts):
                yield f"{name} names {path}, where nothing is mounted"
    if resource["kind"] == "Deployment" and not resource["spec"]["selector"]["matchLabels"].items() <= labels.items():
        yield "the Deployment does not select its own pods"


def check_selectors(resources: list[Resource]) -> Iterator[str]:
    """Everything that means the servers by their labels means them, and every port that is named is there."""
    [deployment] = of_kind(resources, "Deployment")
    spec, labels = pod_template(deployment)
    ports = {port["name"]: port["containerPort"] for port in spec["containers"][0]["ports"]}

    def selects(what: str, selector: dict[str, str], among: dict[str, str] = labels) -> Iterator[str]:
        if not selector or not selector.items() <= among.items():
            yield f"{what} selects {selector}, and the labels are {among}"

    for service in of_kind(resources, "Service"):
        yield from selects("the Service", service["spec"]["selector"])
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports:
                yield f"the Service {service['metadata']['name']} names the port {port['targetPort']}, which pods have not"
            elif port["port"] != ports[port["targetPort"]]:
                yield f"the Service {service['metadata']['name']} has {port['port']} where pods have {ports[port['targetPort']]}"
    for budget in of_kind(resources, "PodDisruptionBudget"):
        yield from selects("the PodDisruptionBudget", budget["spec"]["selector"]["matchLabels"])
    for policy in of_kind(resources, "NetworkPolicy"):
        yield from selects("the NetworkPolicy", policy["spec"]["podSelector"]["matchLabels"])
        for rule in policy["spec"]["ingress"]:
            for port in rule["ports"]:
                if port["port"] not in ports:
                    yield f"the NetworkPolicy names the port {port['port']}, which pods have not"
    for spread in spec["topologySpreadConstraints"]:
        yield from selects("the spread over nodes", spread["labelSelector"]["matchLabels"])
    for monitor in of_kind(resources, "ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"]
        services = [s for s in of_kind(resources, "Service") if selector.items() <= s["metadata"]["labels"].items()]
        for endpoint in monitor["spec"]["endpoints"]:
            scraped = [s for s in services if any(port["name"] == endpoint["port"] for port in s["spec"]["ports"])]
            if len(scraped) != 1:
                yield f"the ServiceMonitor finds the port {endpoint['port']} in {len(scraped)} Services, not in one"
        if any(s["metadata"]["labels"].get(monitor["spec"]["jobLabel"]) != "hearwire" for s in services):
            yield 'the job would not be "hearwire", which the alert rules ask for'
    for scaler in of_kind(resources, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) != ("Deployment", deployment["metadata"]["name"]):
            yield f"the autoscaler scales {target['name']}"
        if "replicas" in deployment["spec"]:
            yield "the Deployment says how many replicas there are, and the autoscaler too"


def check_metrics(resources: list[Resource], rules: list[Resource], program: Program) -> Iterator[str]:
    """The adapter's rules ask for what servers export, and the autoscaler for what the rules make."""
    for rule in rules:
        for expression in (rule["seriesQuery"], rule["metricsQuery"]):
            names = set(re.findall(r"\bhearwire_[a-z_]+", expression))
            for name in names - program.series.keys():
                yield f"servers have no metric {name}"
            for matcher in re.findall(r"\{([^}]*)\}", expression.replace("<<.LabelMatchers>>", "")):
                for label in re.findall(r"(\w+)[=!]", matcher):
                    if label not in DISCOVERED.union(*(program.series.get(name, set()) for name in names)):
                        yield f"{expression} asks for the label {label}, which is nowhere"
        for label in rule["resources"]["overrides"]:
            if label not in DISCOVERED:
                yield f"Prometheus adds no label {label}"
    made = {rule["name"]["as"] for rule in rules}
    for scaler in of_kind(resources, "HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            if (name := metric["pods"]["metric"]["name"]) not in made:
                yield f"the autoscaler asks for {name}, which no rule of the adapter makes"
    for monitor in of_kind(resources, "ServiceMonitor"):
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint["path"] not in program.paths:
                yield f"the ServiceMonitor asks for {endpoint['path']}, where there is nothing"


def problems(resources: list[Resource], rules: list[Resource], program: Program) -> list[str]:
    found: list[str] = []
    for resource in of_kind(resources, "Deployment") + of_kind(resources, "ServingRuntime"):
        found += check_pod(resource, program)
    if of_kind(resources, "Deployment"):
        found += check_selectors(resources)
    return found + list(check_metrics(resources, rules, program))
