"""Pipeline versions: kept once in the pipeline root, and read back whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.kubeflow.bucket.versions import (
    PipelineVersion,
    is_version_name,
    version_name,
)
from pipelines.stores.opening import open_store

TINY = Path(__file__).parents[4] / "data" / "tiny.yaml"
VERSION = version_name("a" * 64, "b" * 64)


def version() -> PipelineVersion:
    config = load(TINY)
    images = {
        "train": "r/train@sha256:0",
        "device": "r/device@sha256:1",
        "light": "r/light@sha256:2",
    }
    return PipelineVersion(
        VERSION, config.digest, graph_of(config), config.budgets.model_dump(), {"data": "d"},
        images, dict.fromkeys(images, "e"),
    )  # fmt: skip


def test_a_version_is_read_back_whole(tmp_path: Path) -> None:
    root = open_store(str(tmp_path))
    version().put(root)
    version().put(root)
    again = PipelineVersion.get(root, VERSION)
    assert again.graph.digest == version().graph.digest
    assert (again.budgets, again.images, again.sources) == (
        version().budgets, version().images, version().sources
    )  # fmt: skip
    assert list(root.list("")) == [f"plans/{VERSION}.json"]


def test_a_missing_version_and_a_foreign_one_are_said(tmp_path: Path) -> None:
    root = open_store(str(tmp_path))
    with pytest.raises(UserError, match="has no record"):
        PipelineVersion.get(root, VERSION)
    root.put_if_absent(f"plans/{VERSION}.json", json.dumps({"schema": 99}).encode())
    with pytest.raises(UserError, match="another version of slimline"):
        PipelineVersion.get(root, VERSION)


def test_names_of_versions_are_told_from_other_peoples() -> None:
    assert f"{'a' * 16}-{'b' * 16}" == VERSION
    assert is_version_name(VERSION)
    assert not is_version_name("v1")
    assert not is_version_name(f"{VERSION}x")
