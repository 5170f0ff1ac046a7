"""The section kubeflow.auth: one source, words and no shell, no token in the configuration itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from tests.pipelines.engines.kubeflow.graphs import SETTINGS, config_of

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"


def auth_of(folder: Path, auth: dict[str, Any]) -> Any:
    config = config_of(folder, kubeflow={**SETTINGS, "auth": auth})
    assert config.kubeflow
    return config.kubeflow.auth


def test_a_command_and_a_file(tmp_path: Path) -> None:
    assert auth_of(tmp_path, {"command": ["kubectl", "create", "token", "me"]}).sends == "token"
    made = auth_of(tmp_path, {"file": "~/.kubeflow-cookie", "sends": "cookie"})
    assert (made.file, made.sends) == ("~/.kubeflow-cookie", "cookie")


@pytest.mark.parametrize(
    ("auth", "said", "fixed"),
    [
        ({}, "neither command nor file", {"file": "/x"}),
        ({"command": ["a"], "file": "/x"}, "both command and file", {"command": ["a"]}),
        ({"command": "kubectl create token me"}, "is one text", {"command": ["kubectl", "create"]}),
        ({"command": ["echo", JWT]}, "a token stands in the command", {"file": "~/.kubeflow"}),
        ({"file": "cookie"}, "depends on the folder", {"file": "~/cookie"}),
        ({"file": "/x", "sends": "cookies"}, "must be 'token' or 'cookie'", {"file": "/x", "sends": "cookie"}),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_and_the_fix_is_taken(
    tmp_path: Path, auth: dict[str, Any], said: str, fixed: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"kubeflow[.]auth") as caught:
        auth_of(tmp_path, auth)
    assert said in caught.value.what
    assert JWT not in caught.value.what
    assert auth_of(tmp_path, fixed)


def test_who_asks_is_no_part_of_what_is_configured(tmp_path: Path) -> None:
    plain = config_of(tmp_path)
    named = config_of(tmp_path, kubeflow={**SETTINGS, "auth": {"file": "/x"}})
    assert plain.digest == named.digest
