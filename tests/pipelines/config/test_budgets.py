"""Budgets of devices in a configuration: what is refused, what helps, and what reaches select."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.artifacts.budgets import DEVICE_LIMITS, Budgets, DeviceBudget
from components.contract.errors import UserError
from components.contract.interface import interface_of
from pipelines.compress import graph_of
from pipelines.config.budgets import BudgetSection, DeviceBudgetSection
from pipelines.config.configuration import Config
from tests.pipelines.config.faces import STUDENT, config_of

PHONE = {"kind": "adb", "serial": "R5CT10ABCDE", "name": "s21"}
METERED = {"kind": "host", "energy": True}


def loaded(folder: Path, budgets: Mapping[str, Any], devices: Sequence[Any], **more: Any) -> Config:
    return config_of(
        folder, {"student": [STUDENT]}, budgets=dict(budgets), devices=list(devices), **more
    )


def refused(folder: Path, *given: Any, **more: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        loaded(folder, *given, **more)
    return caught.value


def test_all_budgets_are_keys_of_both_sections_and_of_both_classes() -> None:
    assert tuple(DeviceBudgetSection.model_fields) == DEVICE_LIMITS
    assert tuple(field.name for field in fields(DeviceBudget)) == DEVICE_LIMITS
    names = {field.name for field in fields(Budgets)}
    assert names - {"by_device"} == BudgetSection.model_fields.keys() - {"devices"}
    assert {parameter.name for parameter in interface_of("select").parameters} > names


def test_select_is_given_what_was_configured(tmp_path: Path) -> None:
    own = {"s21": {"latency_ms": 20, "memory_mb": 80}}
    config = loaded(tmp_path, {"latency_ms": 50, "load_ms": 90, "devices": own}, ["host", PHONE])
    given = graph_of(config).by_name["select"].parameters
    assert (given["latency_ms"], given["load_ms"], given["arena_kb"]) == (50, 90, None)
    assert given["by_device"] == own
    arguments = interface_of("select").arguments(dict(given))
    budgets: Any = arguments["budgets"]
    assert budgets.on("s21") == DeviceBudget(latency_ms=20, load_ms=90, memory_mb=80)
    assert budgets.on("host") == DeviceBudget(latency_ms=50, load_ms=90)
    assert Config.model_validate(config.to_plain()) == config


def test_what_was_configured_before_keeps_its_digest(tmp_path: Path) -> None:
    plain = loaded(tmp_path, {"latency_ms": 50}, ["host"]).content["budgets"]
    assert list(plain) == ["size_mb", "latency_ms", "metric", "drop", "at_least", "per"]
    before = loaded(tmp_path, {"latency_ms": 50}, ["host", PHONE])
    assert (
        loaded(tmp_path, {"latency_ms": 50, "devices": {}}, ["host", PHONE]).content["budgets"][
            "latency_ms"
        ]
        == 50
    )
    own = loaded(tmp_path, {"latency_ms": 50, "devices": {"s21": {"load_ms": 9}}}, ["host", PHONE])
    assert own.digest != before.digest
    assert own.content["budgets"]["devices"] == {"s21": {"load_ms": 9.0}}


# refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "devices"),
    [
        ("latency_ms", ["microcontroller"]), ("load_ms", ["microcontroller"]),
        ("memory_mb", ["microcontroller"]), ("energy_mj", ["browser"]),
        ("energy_mj", ["microcontroller"]), ("arena_kb", ["host"]), ("flash_kb", ["browser"]),
    ],
)  # fmt: skip
def test_a_budget_that_no_device_can_tell_is_refused_and_the_fix_helps(
    key: str, devices: list[Any], tmp_path: Path
) -> None:
    fault = refused(tmp_path, {key: 10}, devices)
    assert fault.what.endswith(f"budgets.{key}: none of devices ({devices[0]}) tells "
                               f"{fault.what.rpartition(' tells ')[2]}")  # fmt: skip
    add = re.fullmatch(r"add (.+) to devices, or remove (\w+)", fault.fix)
    assert add
    assert add[2] == key
    loaded(tmp_path, {key: 10}, [*devices, yaml.safe_load(add[1])])
    loaded(tmp_path, {}, devices)


@pytest.mark.parametrize("own", [False, True])
def test_energy_that_a_device_is_not_asked_for_is_refused_and_the_fix_helps(
    tmp_path: Path, *, own: bool
) -> None:
    budgets = {"devices": {"s21": {"energy_mj": 4}}} if own else {"energy_mj": 4}
    fault = refused(tmp_path, budgets, [METERED, PHONE])
    assert "what an inference takes on s21 is not measured" in fault.what
    line = re.search(r"add energy: true to devices\[1\], as in (\{.*\}), or remove", fault.fix)
    assert line
    assert yaml.safe_load(line[1]) == {
        "kind": "adb", "serial": "R5CT10ABCDE", "energy": True,
    }  # fmt: skip
    loaded(tmp_path, budgets, [METERED, PHONE | {"energy": True}])


def test_energy_of_one_device_asks_no_other(tmp_path: Path) -> None:
    loaded(tmp_path, {"devices": {"host": {"energy_mj": 4}}}, [METERED, PHONE])
    loaded(tmp_path, {"energy_mj": 4}, [METERED, "browser", "microcontroller"])


def test_a_device_with_a_runner_tells_no_energy(tmp_path: Path) -> None:
    (tmp_path / "benchmark_model").write_bytes(b"\x7fELF")
    with_runner = PHONE | {"runner": "./benchmark_model"}
    loaded(tmp_path, {"energy_mj": 4}, [METERED, with_runner])
    fault = refused(tmp_path, {"devices": {"s21": {"energy_mj": 4}}}, [METERED, with_runner])
    assert "s21 does not tell what energy an inference takes" in fault.what


def test_the_own_budget_of_a_device_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    fault = refused(tmp_path, {"devices": {"s22": {"latency_ms": 4}}}, ["host", PHONE])
    assert "budgets.devices: devices lists none that is called 's22'" in fault.what
    assert "'s21'" in fault.fix


def test_the_own_budget_of_a_device_that_cannot_tell_it_is_refused(tmp_path: Path) -> None:
    own = {"microcontroller": {"latency_ms": 4, "arena_kb": 64}}
    fault = refused(tmp_path, {"devices": own}, ["host", "microcontroller"])
    assert "microcontroller does not tell how long an inference takes" in fault.what
    assert fault.fix.startswith("remove latency_ms there")
    del own["microcontroller"]["latency_ms"]
    loaded(tmp_path, {"devices": own}, ["host", "microcontroller"])


@pytest.mark.parametrize("value", [0, -1, "fast", True, float("inf")])
def test_what_is_no_limit_is_refused(value: Any, tmp_path: Path) -> None:
    assert "budgets.load_ms" in refused(tmp_path, {"load_ms": value}, ["host"]).what
    own = {"devices": {"host": {"memory_mb": value}}}
    assert "budgets.devices.host.memory_mb" in refused(tmp_path, own, ["host"]).what


def test_an_unknown_key_of_a_device_names_the_nearest(tmp_path: Path) -> None:
    fault = refused(tmp_path, {"devices": {"host": {"latency": 4}}}, ["host"])
    assert "latency_ms" in fault.fix


def test_the_fastest_of_chips_alone_is_refused(tmp_path: Path) -> None:
    fault = refused(tmp_path, {}, ["microcontroller"], minimize="latency")
    assert fault.fix == "add host to devices, or write minimize: size"
    loaded(tmp_path, {}, ["microcontroller", "host"], minimize="latency")
    loaded(tmp_path, {}, ["microcontroller"], minimize="size")


# without ----------------------------------------------------------------------------------------


def test_a_device_that_is_left_out_takes_its_own_budgets_along(tmp_path: Path) -> None:
    own = {"s21": {"latency_ms": 20}}
    config = loaded(tmp_path, {"latency_ms": 50, "devices": own}, ["host", PHONE])
    left = config.without(["s21"])
    assert left.budgets.by_device is None
    assert left == loaded(tmp_path, {"latency_ms": 50}, ["host"])


def test_the_last_device_that_tells_a_budget_cannot_be_left_out(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"arena_kb": 64}, ["host", "microcontroller"])
    with pytest.raises(UserError, match=r"without microcontroller: budgets\.arena_kb: none"):
        config.without(["microcontroller"])


def test_a_search_predicts_for_the_strictest_budget_of_this_machine(tmp_path: Path) -> None:
    found = {"student": [{"distill": {"architecture": "search"}}]}
    own = {"host": {"latency_ms": 2}, "s21": {"latency_ms": 1}}
    config = config_of(
        tmp_path, found, search={}, devices=["host", PHONE],
        budgets={"latency_ms": 50, "devices": own},
    )  # fmt: skip
    assert graph_of(config).by_name["search"].parameters["latency_ms"] == 2
