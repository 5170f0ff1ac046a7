"""What tests need that apply the fix of an error to the configuration or the data that caused it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from components.ingest import ingest
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.sources.snapshot import snapshot, stage
from tests.data.images import png

CONFIG: dict[str, Any] = {
    "name": "own",
    "task": "verification",
    "data": "./data",
    "image": {"height": 8, "width": 8, "channels": 1},
    "teacher": {"backbone": "conv", "epochs": 1},
    "variants": {"int8": [{"quantize": {"scheme": "int8"}}]},
}


def edits(fix: str) -> dict[str, Any]:
    """Return the first edit that a fix names: ``split: {by: image}`` or ``by: image``."""
    found = re.search(r"(\w+): (\{[^{}]*\}|[\w./-]+)(?![\w:])", fix)
    assert found, fix
    return {found[1]: yaml.safe_load(found[2])}


def merged(config: Mapping[str, Any], edit: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with an edit in it; mappings are merged."""
    return {
        **config,
        **{
            key: {**config.get(key, {}), **value} if isinstance(value, dict) else value
            for key, value in edit.items()
        },
    }


def ingested(config: Mapping[str, Any], folder: Path) -> None:
    """Check a configuration, and ingest its data as a run of it would."""
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(dict(config)))
    loaded = load(path)
    step = graph_of(loaded).by_name["ingest"]
    number = len(list(folder.glob("run-*")))
    run = folder / f"run-{number}"
    run.mkdir()
    stage(snapshot(loaded.data), run / "source")
    ports = {port.name: run / port.name for port in step.interface.outputs}
    ingest(run / "source", **ports, **step.interface.arguments(step.parameters))


def refused(config: Mapping[str, Any], folder: Path, what: str) -> UserError:
    with pytest.raises(UserError, match=what) as caught:
        ingested(config, folder)
    return caught.value


def fix_of(config: Mapping[str, Any], folder: Path) -> str:
    """Return what an error advises; nothing where there is none."""
    try:
        ingested(config, folder)
    except UserError as error:
        return error.fix
    return ""


def people(folder: Path, names: Mapping[str, int], below: str = "data") -> None:
    """Write images that all differ: how many there are of each."""
    before = len(list(folder.rglob("*.png")))
    for name, count in names.items():
        (folder / below / name).mkdir(parents=True)
        for number in range(count):
            (folder / below / name / f"{number}.png").write_bytes(png(before + number))
        before += count
