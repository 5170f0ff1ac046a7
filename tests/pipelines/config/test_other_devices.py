"""Devices that no shell reaches: their sections, what they are called, and the graph of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.runs.graph import Graph, Ref, SourceRef, Step

TINY = Path(__file__).parents[2] / "data/tiny.yaml"


def loaded(folder: Path, *devices: Any) -> Config:
    content = yaml.safe_load(TINY.read_text())
    folder.mkdir(exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**content, "devices": list(devices)}))
    return load(path)


def step(graph: Graph, name: str) -> Step:
    return next(each for each in graph.steps if each.name == name)


def test_each_is_measured_by_its_component_and_takes_what_it_needs_alone(tmp_path: Path) -> None:
    results = {"kind": "results", "file": "./iPhone 15.csv"}
    config = loaded(tmp_path, "host", "browser", "microcontroller", results)
    assert config.device_names == ("host", "browser", "microcontroller", "iphone-15")
    graph = graph_of(config)
    found = {name: step(graph, f"benchmark-student-{name}") for name in config.device_names}
    assert [(each.component, each.occupies) for each in found.values()] == [
        ("benchmark", "host"),
        ("benchmark_browser", "host"),
        ("benchmark_microcontroller", None),
        ("benchmark_results", None),
    ]
    lite = Ref("convert-student", "lite")
    assert found["iphone-15"].inputs == {"model": lite, "given": SourceRef("results-iphone-15")}
    assert graph.sources["results-iphone-15"] == str(tmp_path / "iPhone 15.csv")
    assert found["browser"].parameters["device"] == "browser"


def test_parameters_are_those_of_the_component(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        {"kind": "browser", "name": "chrome", "threads": 2, "browser": "/opt/chrome"},
        {"kind": "microcontroller", "images": 3},
    )
    graph = graph_of(config)
    assert step(graph, "benchmark-student-chrome").parameters["threads"] == 2
    assert step(graph, "benchmark-student-microcontroller").parameters["images"] == 3
    with pytest.raises(UserError, match="benchmark_microcontroller has no parameter 'threads'"):
        loaded(tmp_path, {"kind": "microcontroller", "threads": 2})


def test_results_need_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="file"):
        loaded(tmp_path, {"kind": "results"})
    assert loaded(tmp_path, {"kind": "results", "file": "a.json"}).device_names == ("a",)


def test_two_files_of_one_name_need_names_of_their_own(tmp_path: Path) -> None:
    def listed(**more: str) -> Config:
        one = {"kind": "results", "file": "old/s21.json"}
        return loaded(tmp_path, one, {"kind": "results", "file": "new/s21.json", **more})

    with pytest.raises(UserError, match="'s21' is what another device is called") as caught:
        listed()
    name = caught.value.fix.rpartition("name: ")[2]
    assert listed(name=name).device_names == ("s21", name)


def test_a_file_elsewhere_is_the_same_configuration(tmp_path: Path) -> None:
    given = {"kind": "results", "file": "./s21.json"}
    one, other = (loaded(tmp_path / name, given) for name in ("one", "other"))
    assert one.devices != other.devices
    assert one.digest == other.digest
    renamed = loaded(tmp_path / "one", {"kind": "results", "file": "./s22.json"})
    assert renamed.digest != one.digest
