"""Triggers as a store keeps them: a configuration comes back as it was, changes are not lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.stores.layout import trigger_key
from pipelines.triggers.kept import (
    change_trigger,
    config_of,
    config_text,
    list_triggers,
    put_trigger,
    read_trigger,
    remove_trigger,
)
from pipelines.triggers.settings import ScheduleSettings

EXAMPLES = sorted((Path(__file__).parents[3] / "pipelines" / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_configuration_comes_back_with_its_graph(world, path):
    config = load(path)
    world.trigger(schedule=ScheduleSettings("0 4 * * *", "UTC"), config=config_text(config))
    again = config_of(read_trigger(world.store, "t"))
    assert again.digest == config.digest
    assert list(again.variants) == list(config.variants)  # the order in which select takes them
    assert graph_of(again).digest == graph_of(config).digest


def test_adding_again_keeps_the_trigger_and_changing_it_loses_nothing(world):
    first = world.trigger(schedule=ScheduleSettings("0 4 * * *", "UTC"))
    change_trigger(world.store, "t", lambda one: replace(one, paused="because"))
    second = put_trigger(world.store, replace(first, uid="other", retries=7))
    assert (second.uid, second.retries, second.paused) == (first.uid, 7, "because")


def test_a_damaged_trigger_hides_no_other_and_can_be_removed(world):
    world.trigger("a", schedule=ScheduleSettings("0 4 * * *", "UTC"))
    world.store.put_if_absent(trigger_key("b"), b"{")
    whole, damaged = list_triggers(world.store)
    assert ([one.name for one in whole], [one.name for one in damaged]) == (["a"], ["b"])
    with pytest.raises(UserError) as refused:
        read_trigger(world.store, "b")
    assert "slimline triggers remove b" in refused.value.fix
    remove_trigger(world.store, "b")
    assert list_triggers(world.store)[1] == []
