"""Graphs that a server cannot hold are refused before anything is sent; those of the goals fit."""

import subprocess
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.kubeflow.ir import limits
from pipelines.engines.kubeflow.ir.compiling import compiled
from pipelines.engines.kubeflow.ir.preflight import Reachable
from pipelines.engines.kubeflow.ir.servers import ServerVersion, parsed
from tests.pipelines.engines.kubeflow.graphs import SETTINGS, compile_config, config_of
from tests.servers.kfp.argo_validation import refusal
from tests.servers.kfp.releases import RELEASES

NEW, OLD = ServerVersion(2, 17), ServerVersion(2, 5)
DYNAMIC = {"quantize": {"scheme": "dynamic"}}


def wide(count):
    """Return variants that share nothing, as the recordings' do."""
    return {
        f"v{index}": [
            {"distill": {"backbone": "conv", "alpha": 0.25 + index / 100, "epochs": 1}}, DYNAMIC,
        ]
        for index in range(count)
    }  # fmt: skip


def of(folder: Path, count: int, *, keys: bool = False, **changes: object):
    config = config_of(folder, variants=wide(count), **changes)
    graph = graph_of(config)
    from tests.pipelines.engines.kubeflow.graphs import REFERENCES

    return compiled(
        Reachable(config, graph, config.kubeflow),
        dict.fromkeys(graph.sources, "1" * 64),
        REFERENCES,
        cache_keys=keys,
    )


@pytest.mark.parametrize(
    ("name", "versions"),
    [("wide30", ("2.14.0", "2.15.0", "2.16.1", "2.17.0", "2.18.0")), ("wide15", ("2.5.0",))],
)
def test_recorded_configurations_fit_where_they_have_to(name, versions, shared):
    config = load(shared / "kfp_golden" / "configs" / f"{name}.yaml")
    graph = graph_of(config)
    for version in map(parsed, versions):
        made = compiled(
            Reachable(config, graph, config.kubeflow),
            dict.fromkeys(graph.sources, "1" * 64),
            config.kubeflow.images,
            cache_keys=version.cache_key,
        )
        limits.check(made, version)
        (sizes,) = limits.measured(made, version)
        assert sizes.workflow_bytes <= 0.95 * 1_048_576


def test_what_is_too_large_is_refused_with_limit_number_and_what_fits(tmp_path):
    made = of(tmp_path, 60)
    with pytest.raises(UserError, match=r"too large for Kubeflow Pipelines 2\.17\.0") as caught:
        limits.check(made, NEW)
    (excess,) = limits.excesses(limits.measured(made, NEW))
    assert f"{excess.bytes:,} bytes of at most {excess.limit:,}" in caught.value.what
    assert f"about {excess.steps_that_fit} steps" in caught.value.fix
    assert "workflow_bytes" in caught.value.fix
    variants = excess.steps_that_fit * 60 // len(made.steps)
    limits.check(of(tmp_path, variants), NEW)


def test_a_cluster_that_keeps_more_takes_more(tmp_path):
    made = of(tmp_path, 60)
    limits.check(made, NEW, workflow_bytes=4_000_000)
    settings = SETTINGS | {"workflow_bytes": 4_000_000}
    assert config_of(tmp_path, kubeflow=settings).kubeflow.workflow_bytes == 4_000_000


def test_limits_are_those_of_the_version_and_not_the_worst_of_all(tmp_path):
    made = of(tmp_path, 20)
    limits.check(made, NEW)
    with pytest.raises(UserError, match="the largest template of a pod") as caught:
        limits.check(made, OLD)
    assert "--kfp" not in caught.value.fix
    with pytest.raises(UserError, match=r"2\.5\.0, the strictest of all") as caught:
        limits.check(made, None)
    assert "--kfp VERSION" in caught.value.fix


def test_the_whole_root_has_to_fit_into_an_argument_until_2_16(tmp_path):
    made = of(tmp_path, 45)
    with pytest.raises(UserError, match="the graph as its driver is told of it"):
        limits.check(made, ServerVersion(2, 16), workflow_bytes=4_000_000)
    limits.check(made, NEW, workflow_bytes=4_000_000)


def test_linux_takes_an_argument_of_that_length_and_no_longer():
    subprocess.run(["true", "x" * limits.ARGUMENT_BYTES], check=True)
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["true", "x" * (limits.ARGUMENT_BYTES + 1)], check=True)


def test_linux_takes_a_variable_of_that_length_and_no_longer():
    value = "x" * limits.VARIABLE_BYTES
    subprocess.run(["/bin/true"], env={"ARGO_TEMPLATE": value}, check=True)
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["/bin/true"], env={"ARGO_TEMPLATE": f"{value}x"}, check=True)


def test_more_artifacts_than_one_argument_can_name_are_refused_anywhere(tmp_path):
    limits.check_inputs(of(tmp_path, 30))
    with pytest.raises(UserError, match="select takes too many artifacts") as caught:
        limits.check_inputs(of(tmp_path, 80))
    assert "fewer variants" in caught.value.fix


def test_names_that_argo_refuses_are_refused_before_anything_is_sent(tmp_path):
    student = {"distill": {"backbone": "conv", "alpha": 0.25, "epochs": 1}}
    variants = {"x": [student], "x-driver": [student, DYNAMIC]}
    made = compile_config(config_of(tmp_path, variants=variants))
    with pytest.raises(UserError, match="cannot be in one run on Kubeflow") as caught:
        limits.check(made, NEW)
    assert "does not end in -driver" in caught.value.fix
    limits.check(compile_config(config_of(tmp_path, variants={"x": [student]})), NEW)


@pytest.mark.parametrize(
    ("version", "task", "most"),
    [
        (NEW, {"retryPolicy": {}}, 121),
        (OLD, {"retryPolicy": {}}, 102),
        (OLD, {}, 121),
        (None, {"retryPolicy": {}}, 102),
    ],
)
def test_names_that_are_too_long_with_what_argo_puts_behind_are_refused(version, task, most):
    limits.check_names({"a" * most: task}, version)
    with pytest.raises(UserError, match=f"Argo takes {most}") as caught:
        limits.check_names({"a" * (most + 4): task}, version)
    assert "by 4 characters" in caught.value.fix


@pytest.mark.parametrize("version", ["2.5.0", "2.17.0"])
@pytest.mark.parametrize("name", ["a" * 90, "a" * 102, "a" * 103, "a" * 121, "a" * 122, "a" * 130])
def test_what_is_let_through_argo_takes_and_what_is_refused_it_does_not(version, name, tmp_path):
    """Held against the tests' own account of what Argo validates."""
    spec = compile_config(config_of(tmp_path)).spec
    tasks = spec["root"]["dag"]["tasks"]
    tasks[name] = tasks.pop("publish")
    try:
        limits.check_names(tasks, parsed(version))
    except UserError:
        assert refusal(spec, RELEASES[version])
    else:
        assert refusal(spec, RELEASES[version]) is None
