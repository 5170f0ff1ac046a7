"""Places and devices that pods cannot reach are refused, with a command that uploads them."""

import shlex
from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from components.devices.remote.jump import making
from pipelines.compress import graph_of
from pipelines.engines.kubeflow.ir import vertex
from pipelines.engines.kubeflow.ir.preflight import Reachable, check
from tests.pipelines.engines.kubeflow.graphs import TINY, config_of


def refusal(config):
    with pytest.raises(UserError) as caught:
        check(config, graph_of(config))
    return caught.value


def test_what_lies_in_a_bucket_is_let_through(tmp_path):
    config = config_of(tmp_path)
    graph = graph_of(config)
    assert check(config, graph) == Reachable(config, graph, config.kubeflow)


def test_without_the_section_it_is_said_what_to_add(tmp_path):
    assert "pipeline_root: gs://" in refusal(config_of(tmp_path, kubeflow=None)).fix


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"data": "{file}"}, "data"),
        ({"teacher": {"backbone": "conv", "weights": "{file}"}}, "teacher.weights"),
        (
            {"teacher": {"model": "{file}", "normalization": {"mean": 0.0, "scale": 1.0}}},
            "teacher.model",
        ),
    ],
)
def test_files_of_this_machine_are_refused_with_the_upload(changes, key, tmp_path):
    file = tmp_path / "my file.npz"
    file.touch()
    filled = eval(repr(changes).replace("{file}", str(file)))
    error = refusal(config_of(tmp_path, **filled))
    assert error.what == f"{key}: {file} is on this machine, where pods cannot read it"
    command, _, edit = error.fix.partition(", then write ")
    uploads = "gs://bucket/pipelines/uploads/"
    assert shlex.split(command) == ["gcloud", "storage", "cp", "-r", str(file), uploads]
    assert edit == f"{key}: {uploads}my file.npz"


def test_data_of_a_package_is_refused_with_the_path_of_its_file(tmp_path):
    error = refusal(config_of(tmp_path, data="package:sklearn/datasets/data/digits.csv.gz"))
    path = Path(shlex.split(error.fix)[4].rstrip(","))
    assert path.name == "digits.csv.gz"
    assert path.is_file()
    assert TINY.exists()


PHONE = {"kind": "adb", "serial": "x", "name": "s21"}


def test_a_device_on_the_desk_is_refused_without_a_machine_that_holds_it(tmp_path):
    config = config_of(tmp_path, devices=["host", PHONE])
    error = refusal(config)
    assert error.what == (
        "devices: pods cannot reach s21, a device of kind adb, without a machine that holds it and "
        "a key"
    )
    assert error.fix.endswith("measure on it with --engine local, or leave it out: --without s21")
    left = config.without(["s21"])
    assert check(left, graph_of(left))
    lines = error.fix.removeprefix("add ").partition(", with the machine")[0]
    added = yaml.safe_load(lines.replace("kubeflow: {", "kubeflow: {", 1))["kubeflow"]
    assert making("lab-ssh") in error.fix
    plain = config_of(tmp_path).to_plain()["kubeflow"]
    (tmp_path / "more").mkdir()
    added_to = config_of(tmp_path / "more", devices=["host", PHONE], kubeflow=plain | added)
    assert check(added_to, graph_of(added_to)).settings.devices.host == "lab.lan"


def test_a_browser_is_refused_whoever_holds_devices(tmp_path):
    plain = config_of(tmp_path).to_plain()["kubeflow"]
    settings = plain | {"devices": {"host": "lab.lan", "secret": "lab-ssh"}}
    (tmp_path / "more").mkdir()
    browser = {"kind": "browser", "name": "chrome"}
    error = refusal(config_of(tmp_path / "more", devices=["host", browser], kubeflow=settings))
    assert error.what == "devices: pods cannot reach chrome, a device of kind browser"


def test_a_runner_of_the_user_is_on_this_machine(tmp_path):
    plain = config_of(tmp_path).to_plain()["kubeflow"]
    settings = plain | {"devices": {"host": "lab.lan", "secret": "lab-ssh"}}
    program = tmp_path / "benchmark_model"
    program.touch()
    (tmp_path / "more").mkdir()
    given = PHONE | {"runner": str(program)}
    error = refusal(config_of(tmp_path / "more", devices=["host", given], kubeflow=settings))
    assert f"s21 names the runner {program}" in error.what
    assert "remove `runner` of s21" in error.fix
    fixed = config_of(tmp_path / "more", devices=["host", PHONE], kubeflow=settings)
    assert check(fixed, graph_of(fixed))


def test_vertex_has_no_secret_for_a_key(tmp_path):
    plain = config_of(tmp_path).to_plain()["kubeflow"]
    settings = plain | {"devices": {"host": "lab.lan", "secret": "lab-ssh"}}
    (tmp_path / "more").mkdir()
    config = config_of(tmp_path / "more", devices=["host", PHONE], kubeflow=settings)
    reachable = check(config, graph_of(config))
    with pytest.raises(UserError) as caught:
        vertex.check(reachable.graph, reachable.settings)
    assert caught.value.what.startswith("devices: machines of Vertex AI cannot reach s21")
    assert caught.value.fix.endswith("--without s21")
    left = config.without(["s21"])
    vertex.check(graph_of(left), reachable.settings)
