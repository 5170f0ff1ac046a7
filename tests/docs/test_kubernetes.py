"""The service on a cluster: what its files say is Kubernetes', and fits the image and the settings."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipelines.cli.main import parser
from pipelines.config.loading import load
from pipelines.engines.kubeflow.api.identity import POD_TOKEN
from pipelines.images.service import DOCKERFILE, SERVICE
from pipelines.web.security.ways import way_of
from pipelines.web.settings import ProxyAuth, load_settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "kubernetes"
TINY = ROOT / "tests" / "data" / "tiny.yaml"
KUBERNETES = ("1.31", "1.34")
ROOMS = (FOLDER, FOLDER / "account", FOLDER / "tick")
KEYS = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "images"}


def documents() -> list[dict[str, Any]]:
    paths = [path for path in sorted(FOLDER.rglob("*.yaml")) if path.name != "kustomization.yaml"]
    found = [one for path in paths for one in yaml.safe_load_all(path.read_text())]
    return [one for one in found if "apiVersion" in one]


def kustomization(room: Path) -> dict[str, Any]:
    return yaml.safe_load((room / "kustomization.yaml").read_text())


def one(kind: str) -> dict[str, Any]:
    (found,) = [document for document in documents() if document["kind"] == kind]
    return found


def pods() -> list[dict[str, Any]]:
    job = one("CronJob")["spec"]["jobTemplate"]
    return [one("Deployment")["spec"]["template"], job["spec"]["template"]]


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("document", documents(), ids=lambda document: document["kind"])
def test_documents_are_what_kubernetes_reads(document: dict[str, Any], version: str) -> None:
    assert kubernetes_validate.validate(document, version, strict=True)


def test_there_is_what_a_service_needs() -> None:
    assert {document["kind"] for document in documents()} == {
        "ServiceAccount", "RoleBinding", "Deployment", "Service", "NetworkPolicy", "CronJob",
    }  # fmt: skip


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_kustomization_names_all_that_lies_beside_it(room: Path) -> None:
    made = kustomization(room)
    assert made.keys() <= KEYS
    for name in made["resources"]:
        place = room / name
        assert place.is_file() or (place / "kustomization.yaml").is_file(), name
    configured = [name for each in made.get("configMapGenerator", ()) for name in each["files"]]
    there = {path.name for path in room.glob("*.yaml")} - {"kustomization.yaml"}
    assert there == {name for name in (*made["resources"], *configured) if name.endswith(".yaml")}


@pytest.mark.parametrize("room", [FOLDER, FOLDER / "tick"], ids=lambda room: room.name)
def test_the_image_is_ours_and_named_by_its_digest(room: Path) -> None:
    (image,) = kustomization(room)["images"]
    assert image["name"] == f"slimline/{SERVICE}"
    assert image["newName"].endswith(f"/{SERVICE}")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", image["digest"])
    assert {pod["spec"]["containers"][0]["image"] for pod in pods()} == {image["name"]}


@pytest.mark.parametrize("pod", pods(), ids=("Deployment", "CronJob"))
def test_pods_write_only_what_may_be_lost(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    words = container["args"]
    assert parser().parse_args(words, argparse.Namespace(given=words)).command
    guard = container["securityContext"]
    assert guard["readOnlyRootFilesystem"]
    assert not guard["allowPrivilegeEscalation"]
    assert guard["capabilities"] == {"drop": ["ALL"]}
    assert f"USER {pod['spec']['securityContext']['runAsUser']}" in (ROOT / DOCKERFILE).read_text()
    kinds = {volume["name"]: set(volume) - {"name"} for volume in pod["spec"]["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert kinds.keys() == {mount["name"] for mount in mounts.values()}
    assert {path for path, mount in mounts.items() if kinds[mount["name"]] == {"emptyDir"}} == {
        "/home/slimline", "/tmp",
    }  # fmt: skip
    assert "WORKDIR /home/slimline" in (ROOT / DOCKERFILE).read_text()
    assert all(mount.get("readOnly") for path, mount in mounts.items() if path.startswith("/etc"))
    assert str(POD_TOKEN.parent) in mounts


def test_the_settings_are_served_behind_the_gateway_alone(tmp_path: Path) -> None:
    (container,) = one("Deployment")["spec"]["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    text = (FOLDER / "serve.yaml").read_text()
    assert text.count(f"{mounts['secrets']}/") == 2
    for name, kept in (("key.txt", "k" * 44), ("tokens.txt", f"read prometheus {'t' * 43}=")):
        (tmp_path / name).write_text(f"{kept}\n")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "serve.yaml").write_text(text.replace(f"{mounts['secrets']}/", f"{tmp_path}/"))
    settings = load_settings(tmp_path / "serve.yaml")
    assert way_of(settings, settings.port)
    assert settings.engine == "kubeflow"
    assert settings.https
    assert isinstance(settings.auth, ProxyAuth)
    assert settings.auth.header == "kubeflow-userid"
    assert container["args"][-1] == f"{mounts['config']}/serve.yaml"
    assert container["ports"][0]["containerPort"] == settings.port
    labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    for kind, selector in (
        ("Service", one("Service")["spec"]["selector"]),
        ("Deployment", one("Deployment")["spec"]["selector"]["matchLabels"]),
        ("NetworkPolicy", one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]),
    ):
        assert selector.items() <= labels.items(), kind
    (rule,) = one("NetworkPolicy")["spec"]["ingress"]
    (source,) = rule["from"]
    assert source["podSelector"]
    assert source["namespaceSelector"]
    (port,) = rule["ports"]
    assert port["port"] == settings.port


def test_the_configuration_in_the_guide_loads(tmp_path: Path) -> None:
    guide = (FOLDER / "README.md").read_text()
    (section,) = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    ]
    settings = {"pipeline_root": "gs://bucket/pipelines", "images": "registry.example/me"}
    plain = yaml.safe_load(TINY.read_text())
    path = tmp_path / "guide.yaml"
    path.write_text(yaml.safe_dump({**plain, "kubeflow": {**settings, **section["kubeflow"]}}))
    loaded = load(path).kubeflow
    assert loaded
    assert loaded.service == "https://slimline.example.com"


def test_its_commands_parse() -> None:
    guide = (FOLDER / "README.md").read_text()
    lines = [line.split() for line in guide.splitlines() if line.startswith("slimline ")]
    assert len(lines) == 2
    for words in lines:
        assert parser().parse_args(words[1:], argparse.Namespace(given=words[1:])).command
