"""The page of devices: its configuration loads, its commands parse, what it says of keys is so."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from pipelines.cli.main import main
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.config.parameters import offered
from tests.pipelines.engines.kubeflow.graphs import config_of
from tests.pipelines.engines.reached import no_phones

__all__ = ["no_phones"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "devices.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_its_devices_are_those_of_a_configuration(tmp_path):
    block, *others = blocks("yaml")
    each = next(other for other in others if other.startswith("select:"))
    config = config_of(tmp_path, **yaml.safe_load(block))
    assert config.device_names == ("host", "ssh-pi5-lan", "board", "s21")
    assert config.without(["s21"]).device_names == ("host", "ssh-pi5-lan", "board")
    own = config_of(tmp_path, **yaml.safe_load(each))
    assert own.chosen_devices == ("host", "s21", "sensor")
    steps = graph_of(own).by_name
    assert {"select-s21", "evaluate-sealed-s21"} <= steps.keys()
    assert steps["select-sensor"].parameters["minimize"] == "size"


@pytest.mark.parametrize(
    "words",
    [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines()],
    ids=" ".join,
)
def test_its_commands_are_those_that_there_are(words, capsys, tmp_path, monkeypatch, no_phones):
    monkeypatch.chdir(tmp_path)
    code = main(words[1:])
    said = capsys.readouterr()
    assert "usage:" not in said.err
    # There is neither my.yaml nor a store; this machine can always be asked.
    assert ("host" in said.out) if words == ["slimline", "devices"] else (code == 2)


def test_the_keys_that_it_names_have_the_values_that_it_names():
    defaults = {
        component: {each.name: each.default for each in offered(component).parameters}
        for component in ("benchmark_ssh", "benchmark_adb")
    }
    assert f"(`{defaults['benchmark_ssh']['dir']}`, on phones" in PAGE
    assert f"on phones `{defaults['benchmark_adb']['dir']}`)" in PAGE
    assert all(each["cores"] == "big" and "cooldown_s" in each for each in defaults.values())


def test_every_key_of_the_page_is_in_the_reference():
    reference = (ROOT / "docs" / "configuration.md").read_text()
    assert "### `devices[]` (kind: ssh)" in reference
    assert load(ROOT / "pipelines" / "examples" / "digits.yaml").device_names == ("host",)
