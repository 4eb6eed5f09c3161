"""The fields of the custom resources that deploy/kubernetes has, as their definitions name them: of each only those that one may want."""

from __future__ import annotations

from typing import Any

# A field's name: None, anything that is no dictionary; a dictionary, its fields; [dictionary], a list of such. ANY: checked elsewhere.
ANY = object()
METADATA = {"name": None, "namespace": None, "labels": ANY, "annotations": ANY}
SELECTOR = {"matchLabels": ANY, "matchExpressions": ANY}
RESOURCES: dict[tuple[str, str], Any] = {
    # prometheus-operator, api/v1: ServiceMonitorSpec, Endpoint.
    ("monitoring.coreos.com/v1", "ServiceMonitor"): {
        "jobLabel": None,
        "targetLabels": None,
        "podTargetLabels": None,
        "selector": SELECTOR,
        "namespaceSelector": {"any": None, "matchNames": None},
        "sampleLimit": None,
        "endpoints": [
            {
                "port": None, "targetPort": None, "path": None, "scheme": None, "interval": None, "scrapeTimeout": None,
                "honorLabels": None, "relabelings": ANY, "metricRelabelings": ANY, "tlsConfig": ANY, "params": ANY,
            }
        ],
    },
    # kserve, v1alpha1: ServingRuntimeSpec, ServingRuntimePodSpec. Containers are Kubernetes' own.
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): {
        "supportedModelFormats": [{"name": None, "version": None, "autoSelect": None, "priority": None}],
        "multiModel": None,
        "disabled": None,
        "protocolVersions": None,
        "containers": ANY,
        "volumes": ANY,
        "nodeSelector": ANY,
        "tolerations": ANY,
        "affinity": ANY,
        "annotations": ANY,
        "labels": ANY,
        "imagePullSecrets": ANY,
    },
    # kserve, v1beta1: InferenceServiceSpec, PredictorSpec, ModelSpec.
    ("serving.kserve.io/v1beta1", "InferenceService"): {
        "predictor": {
            "minReplicas": None, "maxReplicas": None, "scaleMetric": None, "scaleTarget": None, "timeout": None,
            "serviceAccountName": None, "nodeSelector": ANY, "tolerations": ANY,
            "model": {
                "modelFormat": {"name": None, "version": None},
                "runtime": None, "storageUri": None, "protocolVersion": None, "resources": ANY, "env": ANY, "args": ANY,
            },
        },
    },
}


def is_custom(resource: dict[str, Any]) -> bool:
    return (resource["apiVersion"], resource["kind"]) in RESOURCES


def unknown_fields(resource: dict[str, Any]) -> list[str]:
    fields = {"apiVersion": None, "kind": None, "metadata": METADATA, "spec": RESOURCES[(resource["apiVersion"], resource["kind"])]}
    return list(_unknown(resource, fields, resource["kind"]))


def _unknown(value: Any, fields: Any, path: str):
    if fields is ANY:
        return
    if fields is None:
        if isinstance(value, dict):
            yield f"{path} has no fields"
    elif isinstance(fields, list):
        if not isinstance(value, list):
            yield f"{path} is a list"
        for i, item in enumerate(value):
            yield from _unknown(item, fields[0], f"{path}[{i}]")
    elif not isinstance(value, dict):
        yield f"{path} has fields"
    else:
        for name, inner in value.items():
            if name in fields:
                yield from _unknown(inner, fields[name], f"{path}.{name}")
            else:
                yield f"{path} has no field {name}"
