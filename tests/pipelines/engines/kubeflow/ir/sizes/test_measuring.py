"""Sizes of whole pipelines."""

import pytest

from pipelines.engines.kubeflow.ir.servers import ServerVersion
from pipelines.engines.kubeflow.ir.sizes.measuring import sizes_of
from tests.pipelines.engines.kubeflow.graphs import compile_config, config_of
from tests.pipelines.engines.kubeflow.ir.sizes.recorded import WITHIN, json_bytes


def test_sizes_are_those_of_the_recordings(recorded):
    launches = recorded.launches
    sizes = sizes_of(launches.spec, launches.platform, launches.back_end.since)
    assert sizes.steps == len(recorded.launcher)
    whole = json_bytes(recorded.workflow)
    assert sizes.spec_bytes + sizes.status_bytes == pytest.approx(whole, rel=WITHIN)
    assert sizes.compressed_bytes < 0.15 * sizes.status_bytes
    roots = recorded.workflow["spec"]["arguments"]["parameters"]
    (root,) = (one["value"] for one in roots if one["name"] == "components-root")
    assert sizes.root_bytes == len(root)


def test_the_root_stands_twice_in_the_template_of_its_driver(recorded):
    """143,580 bytes were seen at a root of 62,620, and 204,380 at 89,460: twice, with escapes."""
    launches = recorded.launches
    sizes = sizes_of(launches.spec, launches.platform, launches.back_end.since)
    assert 2.2 * sizes.root_bytes < sizes.template_bytes - 1_750 < 2.35 * sizes.root_bytes


def test_equal_pipelines_have_equal_sizes(tmp_path):
    made = compile_config(config_of(tmp_path))
    one, other = (sizes_of(made.spec, made.platform, ServerVersion(2, 17)) for _ in range(2))
    assert one == other
    assert one.input_step == "select"
