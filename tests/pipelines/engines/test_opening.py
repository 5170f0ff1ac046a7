"""What an engine is refused before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.engine import Cluster
from pipelines.engines.opening import Request, choose
from pipelines.stores.opening import open_store

TINY = Path(__file__).parents[2] / "data" / "tiny.yaml"
MICRO = {"kind": "microcontroller", "name": "nano", "estimate": "ethos-u55-128"}


def request_of(folder: Path, device: dict[str, str]) -> Request:
    folder.mkdir(exist_ok=True)
    written = yaml.safe_load(TINY.read_text()) | {"devices": ["host", device]}
    (folder / "config.yaml").write_text(yaml.safe_dump(written))
    config = load(folder / "config.yaml")
    return Request(
        config=config,
        graph=graph_of(config),
        cluster=Cluster(),
        remeasure=False,
        store=open_store(str(folder / "store")),
        sources=dict,
        tell=lambda _event: None,
    )


def test_no_image_has_what_reckons_an_estimate(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        choose("docker", request_of(tmp_path, MICRO))
    assert "asks for an estimate by ethos-u-vela, which no image has" in caught.value.what
    assert "remove `estimate`" in caught.value.fix
    without = {key: value for key, value in MICRO.items() if key != "estimate"}
    assert choose("docker", request_of(tmp_path, without))


def test_an_estimate_needs_its_program_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.devices.vela.sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    request = request_of(tmp_path / "run", MICRO)
    with pytest.raises(UserError, match="ethos-u-vela, which it needs, is not installed"):
        choose("local", request)
    (tmp_path / "vela").write_text("#!/bin/sh\n")
    (tmp_path / "vela").chmod(0o755)
    assert choose("local", request)
