"""Renders a folder of deploy/kubernetes as `kubectl kustomize` does, as far as these folders use it. What it does not know it refuses."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import yaml

KNOWN = {"apiVersion", "kind", "namespace", "resources", "components", "images", "patches"}
# Lists that a patch adds to by a key; others it replaces.
MERGE_KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath", "ports": "containerPort"}


def read_all(path: pathlib.Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document is not None]


def merge(base: Any, patch: Any, name: str = "") -> Any:
    """A strategic merge: dictionaries by their keys, null takes one away; lists by MERGE_KEYS."""
    if isinstance(base, dict) and isinstance(patch, dict):
        merged = dict(base)
        for key, value in patch.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = merge(base[key], value, key) if key in base else value
        return merged
    if isinstance(base, list) and isinstance(patch, list) and name in MERGE_KEYS:
        key = MERGE_KEYS[name]
        merged_items = {item[key]: item for item in base}
        for item in patch:
            merged_items[item[key]] = merge(merged_items[item[key]], item) if item[key] in merged_items else item
        return list(merged_items.values())
    return patch


def identity(resource: dict[str, Any]) -> tuple[str, str]:
    return resource["kind"], resource["metadata"]["name"]


def _pod_specs(value: Any):
    """Every dictionary that has containers."""
    if isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            yield value
        for inner in value.values():
            yield from _pod_specs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pod_specs(inner)


def _apply(kustomization: dict[str, Any], folder: pathlib.Path, resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for patch in kustomization.get("patches", []):
        assert patch.keys() == {"path"}, f"{folder}: a patch that is not one file: {patch}"
        for document in read_all(folder / patch["path"]):
            targets = [i for i, resource in enumerate(resources) if identity(resource) == identity(document)]
            assert len(targets) == 1, f"{folder / patch['path']} patches {identity(document)}, of which there are {len(targets)}"
            resources[targets[0]] = merge(resources[targets[0]], document)
    for image in kustomization.get("images", []):
        for resource in resources:
            for spec in _pod_specs(resource):
                for container in spec["containers"]:
                    if container["image"] == image["name"]:
                        container["image"] = f"{image['newName']}:{image['newTag']}"
    if namespace := kustomization.get("namespace"):
        for resource in resources:
            resource["metadata"]["namespace"] = namespace
    return resources


def render(folder: pathlib.Path, resources: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """The resources of a kustomization; of a component, those given and its own."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert kustomization.keys() <= KNOWN, f"{folder}: unknown {kustomization.keys() - KNOWN}"
    found = list(resources or [])
    for name in kustomization.get("resources", []):
        path = folder / name
        found += render(path) if path.is_dir() else read_all(path)
    for name in kustomization.get("components", []):
        found = render(folder / name, found)
    found = _apply(kustomization, folder, copy.deepcopy(found))
    identities = [identity(resource) for resource in found]
    assert len(set(identities)) == len(identities), f"{folder}: a resource is there twice: {identities}"
    return found
