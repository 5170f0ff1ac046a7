"""Keys tell apart what the driver's own cache could not, and key what follows from them alone."""

import json

from pipelines.compress import graph_of
from pipelines.engines.kubeflow.ir.cache_keys import keys_of, repeatable
from tests.pipelines.engines.kubeflow.graphs import REFERENCES, TINY, compile_config, config_of

SOURCES = {"data": "1" * 64}


def of(config):
    return keys_of(graph_of(config), SOURCES, REFERENCES)


def fingerprint(spec, name):
    """Return what drivers up to 2.17 compare: what a task gives, and never a default."""
    task = spec["root"]["dag"]["tasks"][name]
    component = spec["components"][task["componentRef"]["name"]]
    container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    told = [
        task["inputs"]["parameters"], container["image"], container["command"], container["args"],
        sorted(component["outputDefinitions"]["artifacts"]),
    ]  # fmt: skip
    return json.dumps(told, sort_keys=True)


def test_a_changed_parameter_is_another_fingerprint_also_where_it_is_a_default(tmp_path):
    one = compile_config(config_of(tmp_path)).spec
    (tmp_path / "more").mkdir()
    teacher = {"backbone": "conv", "alpha": 0.5, "embedding": 8, "epochs": 2}
    other = compile_config(config_of(tmp_path / "more", teacher=teacher)).spec
    for spec in (one, other):
        given = spec["root"]["dag"]["tasks"]["train"]["inputs"]["parameters"]
        assert set(given) == {"cache_key"}, "all else is a default of the component"
    assert fingerprint(one, "train") != fingerprint(other, "train")
    assert fingerprint(one, "ingest") == fingerprint(other, "ingest")


def test_what_changes_upstream_changes_the_key_and_nothing_else_does(tmp_path):
    before = of(config_of(tmp_path))
    assert before == of(config_of(tmp_path))
    teacher = {"backbone": "conv", "alpha": 0.5, "embedding": 8, "epochs": 2}
    after = of(config_of(tmp_path, teacher=teacher))
    changed = {name for name in before if after.get(name) != before[name]}
    assert "train" in changed
    assert "convert-teacher" in changed
    assert "ingest" not in changed
    graph = graph_of(config_of(tmp_path))
    assert keys_of(graph, {"data": "2" * 64}, REFERENCES)["ingest"] != before["ingest"]
    images = dict(REFERENCES) | {"device": "other@sha256:" + "1" * 64}
    rebuilt = keys_of(graph, SOURCES, images)
    assert rebuilt["evaluate-student"] != before["evaluate-student"]
    assert rebuilt["convert-student"] == before["convert-student"]


def test_measurements_and_all_that_follows_from_them_have_no_key(tmp_path):
    graph = graph_of(config_of(tmp_path))
    without = {step.name for step in graph.steps} - repeatable(graph)
    assert {"select", "publish", "evaluate-sealed"} <= without
    assert all(name in without for name in graph.by_name if name.startswith("benchmark"))
    assert {"ingest", "train", "convert-student", "evaluate-student"} <= repeatable(graph)
    spec = compile_config(config_of(tmp_path)).spec
    for name, task in spec["root"]["dag"]["tasks"].items():
        if name in graph.by_name:
            assert ("cacheKey" in task["cachingOptions"]) == (name not in without), name


def test_keys_are_written_for_who_reads_them(tmp_path):
    from pipelines.engines.kubeflow.ir.compiling import compiled
    from pipelines.engines.kubeflow.ir.preflight import check

    config = config_of(tmp_path, TINY)
    made = compiled(check(config, graph_of(config)), SOURCES, REFERENCES, cache_keys=False)
    assert "cacheKey" not in made.text
    assert "cache_key" in made.text
