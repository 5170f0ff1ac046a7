"""The section kubeflow.vertex: what can be no project, region or account is said, with a fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from tests.pipelines.engines.kubeflow.graphs import SETTINGS, config_of

VERTEX = {"project": "my-project", "location": "europe-west4"}


def vertex_of(folder: Path, **changes: Any) -> Any:
    config = config_of(folder, kubeflow={**SETTINGS, "vertex": {**VERTEX, **changes}})
    assert config.kubeflow
    return config.kubeflow.vertex


def test_a_place(tmp_path: Path) -> None:
    account = "me@my-project.iam.gserviceaccount.com"
    assert vertex_of(tmp_path).service_account is None
    assert vertex_of(tmp_path, service_account=account).service_account == account


@pytest.mark.parametrize(
    ("changes", "said", "fix"),
    [
        ({"project": "My Project"}, "no identifier of a project", "gcloud config get project"),
        ({"location": "Europe"}, "no region", "europe-west4"),
        ({"service_account": "runner"}, "no service account", "iam.gserviceaccount.com"),
    ],
)
def test_what_can_be_none_is_said(
    tmp_path: Path, changes: dict[str, str], said: str, fix: str
) -> None:
    with pytest.raises(UserError, match=r"kubeflow[.]vertex") as caught:
        vertex_of(tmp_path, **changes)
    assert said in caught.value.what
    assert fix in caught.value.fix
