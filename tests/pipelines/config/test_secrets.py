"""Secrets in a configuration: refused with the place, and gone after the fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.config.secrets import refuse_secrets
from pipelines.launch.launching import launch

TINY = Path(__file__).parents[2] / "data" / "tiny.yaml"
CLUSTER = {"pipeline_root": "gs://bucket/root", "images": "registry.example/slimline"}
KEY = "AKIA" + "A" * 16


def written(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(TINY.read_text()), **changes}))
    return path


FAULTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"data": "gs://me:hunter2@bucket/faces"}, {"data": "gs://bucket/faces"},
        r"^data .*an address with a password",
    ),
    (
        {"data": "gs://bucket/faces?X-Goog-Signature=abc"}, {"data": "gs://bucket/faces"},
        r"^data .*a signed address",
    ),
    (
        {"kubeflow": {**CLUSTER, "environment": {"API_TOKEN": "abc"}}},
        {"kubeflow": {**CLUSTER, "secrets": [{"name": "n", "variables": {"k": "API_TOKEN"}}]}},
        r"^kubeflow.environment.API_TOKEN .*looks like a secret",
    ),
    (
        {"kubeflow": {**CLUSTER, "environment": {"AWS_SECRET_ACCESS_KEY": "abc"}}},
        {"kubeflow": CLUSTER},
        r"^kubeflow.environment.AWS_SECRET_ACCESS_KEY .*looks like a secret",
    ),
    (
        {"kubeflow": {**CLUSTER, "environment": {"ACCOUNT": KEY}}}, {"kubeflow": CLUSTER},
        r"^kubeflow.environment.ACCOUNT .*looks like a secret",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "fixed", "what"), FAULTS)
def test_it_is_refused_before_anything_runs_and_gone_with_the_fix(
    tmp_path: Path, fault: dict[str, Any], fixed: dict[str, Any], what: str
) -> None:
    config = load(written(tmp_path, **fault))
    with pytest.raises(UserError, match=what) as caught:
        launch(config, store=str(tmp_path / "store"), on_event=lambda _: None)
    assert not (tmp_path / "store").exists()
    assert "kubernetes secret" in caught.value.fix.lower() or "leave out" in caught.value.fix
    assert "hunter2" not in str(caught.value)
    refuse_secrets(load(written(tmp_path, **fixed)))


@pytest.mark.parametrize(
    "harmless",
    [
        {},
        {"data": "gs://bucket/tokens/secret=5/a:b"},
        {"kubeflow": {**CLUSTER, "environment": {"TOKENIZERS_PARALLELISM": "false"}}},
        {"kubeflow": {**CLUSTER, "secrets": [{"name": "token", "path": "/secrets"}]}},
        {"kubeflow": {**CLUSTER, "image_pull_secrets": ["secret-name"]}},
        {"kubeflow": {**CLUSTER, "devices": {"host": "lab.lan", "secret": "lab-ssh"}}},
        {"name": "password-less"},
    ],
)
def test_what_only_sounds_like_one_passes(tmp_path: Path, harmless: dict[str, Any]) -> None:
    refuse_secrets(load(written(tmp_path, **harmless)))
