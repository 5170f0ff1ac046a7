"""Devices of a configuration: what they are called, what they occupy, and what is refused."""

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.devices import KINDS
from pipelines.config.loading import load
from tests.pipelines.engines.kubeflow.graphs import config_of

PI = {"kind": "ssh", "host": "pi5.lan"}
PHONE = {"kind": "adb", "serial": "R5CT10ABCDE"}


@pytest.mark.parametrize(
    ("devices", "names"),
    [
        (["host"], ["host"]),
        ([{"kind": "host", "threads": 2}], ["host"]),
        (["host", {"kind": "host", "threads": 2}], ["host-1-thread", "host-2-threads"]),
        (["host", PI], ["host", "ssh-pi5-lan"]),
        ([PI | {"name": "board"}, "host"], ["board", "host"]),
        ([PHONE], ["adb-r5ct10abcde"]),
        ([{"kind": "host", "name": "laptop"}], ["laptop"]),
        ([PI | {"host": "user@a-machine-of-a-long-name.in.a.domain.example"}],
         ["ssh-user-a-machine-of-a-long-name-in-a-d"]),
    ],
)  # fmt: skip
def test_names_follow_from_the_sections(devices, names, tmp_path):
    assert list(config_of(tmp_path, devices=devices).device_names) == names


def test_what_was_configured_before_there_were_names_keeps_its_digest(tmp_path):
    config = config_of(tmp_path, devices=["host"])
    assert config.to_plain()["devices"] == [{"kind": "host"}]
    assert Config.model_validate(config.to_plain()) == config
    named = config_of(tmp_path, devices=[PI | {"name": "board", "cores": [2, 3]}])
    assert Config.model_validate(named.to_plain()) == named


def test_every_device_times_every_variant(tmp_path):
    config = config_of(tmp_path, devices=["host", PI | {"name": "board", "threads": 4}])
    graph = graph_of(config)
    steps = {step.name: step for step in graph.steps}
    on_host, on_board = steps["benchmark-teacher-host"], steps["benchmark-teacher-board"]
    assert (on_host.component, on_host.occupies, on_host.device) == ("benchmark", "host", "host")
    assert (on_board.component, on_board.occupies) == ("benchmark_ssh", "board")
    assert (on_board.parameters["host"], on_board.parameters["threads"]) == ("pi5.lan", 4)
    assert (on_host.alone, on_host.elsewhere, on_host.threads) == (True, False, 1)
    assert (on_board.alone, on_board.elsewhere, on_board.threads) == (False, True, 0)
    assert steps["select"].parameters["devices"] == ["host", "board"]
    assert type(graph).from_json(graph.to_json()) == graph


def test_two_sections_about_one_phone_take_turns(tmp_path):
    other = PHONE | {"serial": "OTHER"}
    config = config_of(
        tmp_path, devices=[PHONE | {"name": "s21", "threads": 4}, PHONE | {"name": "little"}, other]
    )
    assert config.device_names == ("s21", "little", "adb-other")
    assert config.device_places == ("s21", "s21", "adb-other")
    little = graph_of(config).by_name["benchmark-teacher-little"]
    assert (little.occupies, little.device) == ("s21", "little")


@pytest.mark.parametrize(
    ("devices", "what", "fix", "fixed"),
    [
        (["pi5"], "there is no kind of device 'pi5'", "write {kind: ssh, host: pi5}, or",
         [{"kind": "ssh", "host": "pi5"}]),
        (["hots"], "there is no kind of device 'hots'", "did you mean 'host'?", ["host"]),
        ([{"kind": "shh", "host": "a"}], "there is no kind of device 'shh'",
         "did you mean 'ssh'?", [{"kind": "ssh", "host": "a"}]),
        ([{"host": "pi5.lan"}], "it does not say what kind of device it is", "add kind: ssh",
         [{"kind": "ssh", "host": "pi5.lan"}]),
        (["ssh"], "benchmark_ssh needs the parameter 'host'", "add host: ...", [PI]),
        ([PI | {"serial": "a"}], "benchmark_ssh has no parameter 'serial'", "", [PI]),
        ([PI | {"nam": "a"}], "benchmark_ssh has no parameter 'nam'", "did you mean 'name'?",
         [PI | {"name": "a"}]),
        ([PI | {"host": "-oProxyCommand=id"}], "host: String should match", "correct", [PI]),
        ([PI | {"name": "My Pi"}], "'My Pi' is no name", "call it 'my-pi'",
         [PI | {"name": "my-pi"}]),
        ([PI, PI | {"threads": 2}], "'ssh-pi5-lan' is what another device is called",
         "such as name: ssh-pi5-lan-2", [PI, PI | {"threads": 2, "name": "ssh-pi5-lan-2"}]),
        (["host", "host"], "devices: one is listed twice", "give it other threads",
         ["host", {"kind": "host", "threads": 2}]),
        ([PI | {"name": "host"}], "host is this machine", "such as name: board",
         [PI | {"name": "board"}]),
        ([PI | {"name": "b"}, PI | {"name": "int8-b"}],
         "would be called benchmark-small-int8-b", "such as name: int8b",
         [PI | {"name": "b"}, PI | {"name": "int8b"}]),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_fix_that_works(devices, what, fix, fixed, tmp_path):
    variants = {
        "small": [{"distill": {"backbone": "conv"}}],
        "small-int8": [{"distill": {"backbone": "conv"}}, {"quantize": {"scheme": "int8"}}],
    }
    with pytest.raises(UserError) as caught:
        config_of(tmp_path, devices=devices, variants=variants)
    assert what in caught.value.what
    assert fix in caught.value.fix
    config_of(tmp_path, devices=fixed, variants=variants)


@pytest.mark.parametrize(
    ("changes", "what", "fixed"),
    [
        (
            {"variants": {"small": [{"prune": {"method": "channels", "target": "latency_ms"}}]}},
            "variants.small[0].prune: it predicts what networks cost",
            {"variants": {"small": [{"prune": {"method": "channels", "target": "macs"}}]}},
        ),
        (
            {"search": {}, "variants": {"small": [{"distill": {"architecture": "search"}}]},
             "budgets": {"size_mb": 1}},
            "search: it predicts what networks cost",
            {"variants": {"small": [{"distill": {"backbone": "conv"}}]}},
        ),
    ],
)  # fmt: skip
def test_costs_are_predicted_for_this_machine_alone(changes, what, fixed, tmp_path):
    with pytest.raises(UserError) as caught:
        config_of(tmp_path, devices=[PI], **changes)
    assert what in caught.value.what
    assert caught.value.fix.startswith("add host to devices, or ")
    config_of(tmp_path, devices=[PI], **fixed)
    graph = graph_of(config_of(tmp_path, devices=[PI | {"name": "board"}, "host"], **changes))
    costs = [step for step in graph.steps if step.component == "cost_model"]
    assert [step.name for step in costs] == ["cost-model-host"]
    assert costs[0].occupies == "host"


def test_every_kind_says_what_it_is():
    for kind, section in KINDS.items():
        assert section.model_fields["kind"].description, kind
        assert section.__doc__, kind


def test_a_file_may_list_devices(tmp_path):
    (tmp_path / "my.yaml").write_text(
        "name: a\ntask: classification\ndata: ./images\nimage: {height: 8, width: 8}\n"
        "teacher: {backbone: conv}\nvariants: {s: [{distill: {backbone: conv}}]}\n"
        "devices:\n  - host\n  - {kind: ssh, host: pi5.lan, cores: [4, 5], name: pi}\n"
        "  - {kind: adb, serial: x, thread: 2}\n"
    )
    with pytest.raises(UserError) as caught:
        load(tmp_path / "my.yaml")
    assert "my.yaml:10" in caught.value.what
    assert "did you mean 'threads'?" in caught.value.fix
