"""Devices behind a shell: a runner of the user's, and what goes with one or without."""

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of, sources_of
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.runs.graph import SourceRef
from tests.pipelines.engines.kubeflow.graphs import config_of

PI = {"kind": "ssh", "host": "pi5.lan"}
PHONE = {"kind": "adb", "serial": "R5CT10ABCDE"}
RUNNER = PHONE | {"name": "s21", "runner": "./benchmark_model"}


def test_a_runner_is_a_source_of_its_steps(tmp_path):
    config = config_of(tmp_path, devices=[RUNNER | {"accelerator": "gpu"}, PHONE, "host"])
    steps = {step.name: step for step in graph_of(config).steps}
    assert steps["benchmark-teacher-s21"].inputs["runner"] == SourceRef("runner-s21")
    assert steps["benchmark-teacher-s21"].parameters["accelerator"] == "gpu"
    assert steps["benchmark-teacher-adb-r5ct10abcde"].inputs["runner"] is None
    assert sources_of(config)["runner-s21"].endswith("/benchmark_model")
    assert "runner-adb-r5ct10abcde" not in sources_of(config)
    assert Config.model_validate(config.to_plain()) == config
    # Both are about one phone: they take turns.
    assert config.device_places[:2] == ("s21", "s21")


def test_what_was_configured_before_there_were_runners_keeps_its_digest(tmp_path):
    config = config_of(tmp_path, devices=[PHONE | {"name": "s21"}, PI])
    assert config.to_plain()["devices"] == [{**PHONE, "name": "s21"}, PI]


def test_a_runner_lies_beside_the_configuration(tmp_path):
    (tmp_path / "my.yaml").write_text(
        "name: mine\ntask: classification\ndata: ./data\nimage: {height: 8, width: 8}\n"
        "teacher: {backbone: conv}\nvariants: {a: [{distill: {backbone: conv}}]}\n"
        "devices:\n- {kind: adb, serial: R5CT10ABCDE, runner: ./benchmark_model}\n"
    )
    (device,) = load(tmp_path / "my.yaml").devices
    assert device.model_dump()["runner"] == str(tmp_path / "benchmark_model")


@pytest.mark.parametrize(
    ("device", "what", "fix", "fixed"),
    [
        (PHONE | {"accelerator": "gpu"}, "accelerator: gpu needs a runner",
         "runner: ./benchmark_model", {"runner": "./benchmark_model"}),
        (PI | {"accelerator": "npu"}, "accelerator: npu needs a runner", "or remove accelerator",
         {"accelerator": "cpu"}),
        (PI | {"accelerator": "tpu"}, "accelerator", "", {"accelerator": "cpu"}),
        (PI | {"libraries": "/opt/lib"}, "libraries are those of a runner",
         "runner: ./benchmark_model", {"runner": "./benchmark_model"}),
        (PI | {"operators": True}, "told by a runner alone", "or remove operators",
         {"operators": False}),
        (RUNNER | {"sustained": True}, "one median a process", "remove sustained, or runner",
         {"sustained": False}),
        (RUNNER | {"energy": True}, "energy is measured around", "remove energy, or runner",
         {"energy": False}),
        (RUNNER | {"python": "python3"}, "a runner runs no Python", "remove python, or runner",
         {"runner": None}),
        (RUNNER | {"bundle": True}, "a runner runs no Python", "remove bundle, or runner",
         {"bundle": False}),
    ],
)  # fmt: skip
def test_what_a_device_cannot_do_with_one_or_without(device, what, fix, fixed, tmp_path):
    with pytest.raises(UserError) as caught:
        config_of(tmp_path, devices=[device])
    assert what in caught.value.what
    assert fix in caught.value.fix
    config_of(tmp_path, devices=[device | fixed])


def test_this_machine_has_none(tmp_path):
    with pytest.raises(UserError, match="benchmark has no parameter 'runner'"):
        config_of(tmp_path, devices=[{"kind": "host", "runner": "./benchmark_model"}])
