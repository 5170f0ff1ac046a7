"""Steps of one kind of container share everything that the server keeps under its hash."""

import json
from collections import defaultdict

import pytest

from tests.pipelines.engines.kubeflow.graphs import (
    EVERYTHING,
    ON_GPU,
    SETTINGS,
    compile_config,
    config_of,
)

STUDENT = {"backbone": "conv", "alpha": 0.25, "epochs": 1}


def tasks_of(spec):
    return {
        name: task
        for name, task in spec["root"]["dag"]["tasks"].items()
        if not name.startswith("source-")
    }


def executor_of(spec, task):
    label = spec["components"][task["componentRef"]["name"]]["executorLabel"]
    return spec["deploymentSpec"]["executors"][label]["container"]


def resolved(spec, task):
    """Return the parameters as the launcher completes them (driver/resolve.go, launcher_v2.go)."""
    declared = spec["components"][task["componentRef"]["name"]]["inputDefinitions"]["parameters"]
    values = {}
    for name, parameter in declared.items():
        given = task["inputs"]["parameters"].get(name)
        if given:
            values[name] = given["runtimeValue"]["constant"]
        elif "defaultValue" in parameter:
            values[name] = parameter["defaultValue"]
        elif not parameter.get("isOptional"):
            raise ValueError(
                f'neither value nor default value provided for non-optional parameter "{name}"'
            )
    return values


def test_equal_containers_have_equal_components(tmp_path):
    variants = {
        "a": [{"distill": STUDENT | {"patience": 2}}],
        "b": [{"distill": STUDENT | {"epochs": 2}}],
    }
    spec = compile_config(config_of(tmp_path, variants=variants)).spec
    kept = defaultdict(set)
    for task in tasks_of(spec).values():
        component = dict(spec["components"][task["componentRef"]["name"]])
        component.pop("executorLabel")
        kept[json.dumps(executor_of(spec, task))].add(json.dumps(component))
    assert all(len(components) == 1 for components in kept.values())


def test_steps_that_give_different_optional_parameters_are_all_told_theirs(tmp_path):
    """The first of two specifications wins: one without `patience` failed the other step."""
    variants = {
        "a": [{"distill": STUDENT}],
        "b": [{"distill": STUDENT | {"epochs": 2, "patience": 3}}],
    }
    spec = compile_config(config_of(tmp_path, variants=variants)).spec
    patience = [
        resolved(spec, task).get("patience")
        for name, task in tasks_of(spec).items()
        if name.startswith("distill")
    ]
    assert sorted(patience, key=str) == [3, None]


@pytest.mark.parametrize(
    ("settings", "limits"), [(SETTINGS, {}), (EVERYTHING, ON_GPU)], ids=["few", "all"]
)
def test_every_task_is_told_what_the_graph_says(settings, limits, tmp_path):
    from pipelines.compress import graph_of

    config = config_of(tmp_path, kubeflow=settings, limits=limits)
    spec = compile_config(config).spec
    for step in graph_of(config).steps:
        told = resolved(spec, spec["root"]["dag"]["tasks"][step.name])
        for parameter in step.interface.parameters:
            wanted = step.parameters[parameter.name]
            wanted = list(wanted) if isinstance(wanted, tuple) else wanted
            said = told.get(parameter.name, None if parameter.required else parameter.default)
            said = list(said) if isinstance(said, tuple) else said
            assert said == wanted, (step.name, parameter.name)


def test_what_the_function_takes_by_itself_is_not_said(tmp_path):
    spec = compile_config(config_of(tmp_path)).spec
    declared = spec["components"]["comp-train"]["inputDefinitions"]["parameters"]
    assert "epochs" in declared
    assert "weight_decay" not in declared
    assert all(parameter["isOptional"] for parameter in declared.values())


def test_pods_that_differ_have_an_entry_each_and_one_component(tmp_path):
    spec = compile_config(config_of(tmp_path)).spec
    assert "comp-convert" in spec["components"]
    assert "comp-convert-2" not in spec["components"]
    names = {task["componentRef"]["name"] for task in tasks_of(spec).values()}
    evaluations = {name for name in names if name.startswith("comp-evaluate")}
    assert evaluations == {"comp-evaluate", "comp-evaluate-2"}, "the winner's has a curve besides"
