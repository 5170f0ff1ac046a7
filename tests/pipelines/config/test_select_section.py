"""The section select: a choice for each device, and what of it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from tests.pipelines.config.faces import STUDENT, config_of

BOTH = ["host", {"kind": "ssh", "host": "pi5.lan", "name": "board"}]
PER = {"per": "device"}


def loaded(folder: Path, **more: Any) -> Config:
    variants: Mapping[str, object] = more.pop("variants", {"student": [STUDENT]})
    return config_of(folder, variants, **more)


def test_what_was_configured_before_there_was_a_choice_keeps_its_digest(tmp_path: Path) -> None:
    plain = loaded(tmp_path)
    assert plain.content["select"] == {}
    assert plain.chosen_devices is None
    given = loaded(tmp_path, select={"resamples": 300}, devices=BOTH)
    assert given.content["select"] == {"resamples": 300}
    asked = loaded(tmp_path, select={"resamples": 300, **PER}, devices=BOTH)
    assert asked.content["select"] == {"resamples": 300, "per": "device"}
    assert asked.digest != given.digest
    assert asked.chosen_devices == ("host", "board")
    assert Config.model_validate(asked.to_plain()) == asked


@pytest.mark.parametrize(
    ("wrong", "said", "fixed"),
    [
        (
            {"select": PER},
            "select.per: host is the only device",
            {"select": PER, "devices": BOTH},
        ),
        ({"select": PER}, "list another one under devices, or remove per", {"select": {}}),
        (
            {"select": PER, "devices": ["host", {"kind": "ssh", "host": "x", "name": "teacher"}]},
            "give it another name, such as name: board",
            {"select": PER, "devices": BOTH},
        ),
        (
            {"select": PER, "devices": BOTH, "variants": {"sealed-board": [STUDENT]}},
            "call the variant something else, such as board-sealed",
            {"select": PER, "devices": BOTH, "variants": {"board-sealed": [STUDENT]}},
        ),
        (
            {"select": {"per": "devices"}, "devices": BOTH},
            "select.per",
            {"select": PER, "devices": BOTH},
        ),
        (
            {"select": {"pre": "device"}, "devices": BOTH},
            "did you mean 'per'?",
            {"select": PER, "devices": BOTH},
        ),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_what_helps(
    tmp_path: Path, wrong: Mapping[str, Any], said: str, fixed: Mapping[str, Any]
) -> None:
    with pytest.raises(UserError) as refused:
        loaded(tmp_path, **wrong)
    assert said in f"{refused.value.what} {refused.value.fix}"
    graph_of(loaded(tmp_path, **fixed))


def test_such_names_are_free_where_one_choice_is_for_all(tmp_path: Path) -> None:
    teacher = {"kind": "ssh", "host": "x", "name": "teacher"}
    built = graph_of(
        loaded(tmp_path, devices=["host", teacher], variants={"sealed-host": [STUDENT]})
    )
    assert "evaluate-sealed-host" in built.by_name


def test_the_one_that_is_left_without_the_others_keeps_a_choice_of_its_own(tmp_path: Path) -> None:
    """Its release says for which device it is, so no champion loses the others unseen."""
    left = loaded(tmp_path, select=PER, devices=BOTH).without(["board"])
    assert graph_of(left).by_name["publish"].parameters["devices"] == ["host"]
