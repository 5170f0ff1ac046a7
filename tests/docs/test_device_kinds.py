"""The page of devices that no shell reaches: its configuration loads, its files of measurements do."""

import json
import re
from dataclasses import fields
from pathlib import Path

import yaml

from components.contract.source import Source
from components.devices.browser.litertjs import VERSION
from components.measure.given_rows import GivenRow, given_rows
from pipelines.sources.snapshot import snapshot_results, stage
from tests.pipelines.engines.kubeflow.graphs import config_of

PAGE = (Path(__file__).parents[2] / "docs/device_kinds.md").read_text()
SHA256 = "3f5a" * 16


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def rows(tmp_path, name, text):
    (tmp_path / name).write_text(text.replace("3f5a…", SHA256))
    stage(snapshot_results(str(tmp_path / name)), tmp_path / "staged")
    return given_rows(Source.open(tmp_path / "staged"))


def test_its_devices_are_those_of_a_configuration(tmp_path):
    config = config_of(tmp_path, **yaml.safe_load(block("yaml")))
    assert config.device_names == ("host", "browser", "microcontroller", "iphone-15")


def test_its_json_is_a_file_of_measurements(tmp_path):
    (row,) = rows(tmp_path, "a.json", block("json"))
    assert (row.device, row.samples_ms) == ("iPhone 15 Pro", (3.1, 3.0, 3.2))
    assert set(json.loads(block("json"))["measurements"][0]) <= {
        key.name for key in fields(GivenRow)
    }


def test_its_csv_is_a_file_of_measurements(tmp_path):
    (row,) = rows(tmp_path, "a.csv", block("text"))
    assert (row.made_by, row.p50_interval) == ("farm job 17", (5.0, 5.6))


def test_its_table_has_every_key():
    table = PAGE[PAGE.index("| key | what |") :]
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE))))
    assert named == {key.name for key in fields(GivenRow)}


def test_it_names_the_version_that_is_fetched():
    assert f"LiteRT.js {VERSION}" in PAGE
