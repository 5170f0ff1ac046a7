"""The pipeline without its Kubernetes document against what Vertex AI Pipelines documents.

Sources: machine-types and quotas of Vertex AI's documentation (96 cores, 624 GB, accelerators by
AcceleratorType), the reference of PipelineJob (names, labels), and what its Python client does
with a template: ``yaml.safe_load`` of one document, ``pipelineInfo.name`` as the beginning of the
job's name (googleapis/python-aiplatform, pipeline_jobs.py, pipeline_constants.py, yaml_utils.py).
"""

import json
import re

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.engines.kubeflow.ir.vertex import check
from tests.pipelines.engines.kubeflow.graphs import (
    EXAMPLES,
    ON_GPU,
    SETTINGS,
    TINY,
    compile_config,
    config_of,
)

JOB_NAME = re.compile(r"^[a-z][-a-z0-9]{0,127}$")
REQUEST_BYTES_MAX = 4 << 20  # what a gRPC server takes without being told otherwise
FOR_VERTEX = SETTINGS | {
    "environment": {"A": "b"},
    "resources": {"train": {"cpu": 8, "memory_gb": 32, "accelerator": "NVIDIA_TESLA_T4"}},
}


def refusal(tmp_path, settings, **changes):
    config = config_of(tmp_path, kubeflow=SETTINGS | settings, **changes)
    with pytest.raises(UserError) as caught:
        check(graph_of(config), config.kubeflow)
    return caught.value


@pytest.mark.parametrize("example", [*EXAMPLES, TINY], ids=lambda path: path.stem)
def test_every_example_is_what_vertex_takes(example, tmp_path):
    config = config_of(tmp_path, example, kubeflow=FOR_VERTEX, limits=ON_GPU)
    check(graph_of(config), config.kubeflow)
    spec = yaml.safe_load(compile_config(config).pipeline)
    assert {"pipelineInfo", "root", "components", "deploymentSpec"} < set(spec)
    assert "platforms" not in spec
    assert spec["schemaVersion"] == "2.1.0"
    assert spec["sdkVersion"].startswith("kfp-2.")
    assert spec["defaultPipelineRoot"].startswith("gs://")
    assert JOB_NAME.match(f"{spec['pipelineInfo']['name']}-20260101000000")
    assert len(json.dumps(spec)) < REQUEST_BYTES_MAX
    for name, task in spec["root"]["dag"]["tasks"].items():
        assert re.fullmatch(r"[a-z0-9-]{1,128}", name)
        assert "iterator" not in str(task.keys())
    for executor in spec["deploymentSpec"]["executors"].values():
        if "importer" in executor:
            assert executor["importer"]["artifactUri"]["constant"].startswith("gs://")
            continue
        resources = executor["container"]["resources"]
        assert 0 < resources["cpuLimit"] <= 96
        assert 0 < resources["memoryLimit"] <= 624
        assert re.fullmatch(r"[0-9]+m", resources["resourceCpuLimit"])
        assert re.fullmatch(r"[0-9]+M", resources["resourceMemoryLimit"])


def test_its_client_reads_one_document_alone(tmp_path):
    made = compile_config(config_of(tmp_path))
    with pytest.raises(yaml.YAMLError, match="single document"):
        yaml.safe_load(made.text)
    assert yaml.safe_load(made.pipeline) == next(iter(yaml.safe_load_all(made.text)))


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"pipeline_root": "s3://bucket/p"}, "keeps artifacts in gs:// alone"),
        ({"secrets": [{"name": "a", "path": "/a"}]}, "kubeflow.secrets: Vertex AI has no"),
        ({"image_pull_secrets": ["a"]}, "kubeflow.image_pull_secrets: Vertex AI has no"),
        ({"resources": {"train": {"node_selector": {"a": "b"}}}}, "train.node_selector: Vertex"),
        ({"resources": {"train": {"tolerations": [{"key": "a"}]}}}, "train.tolerations: Vertex"),
        ({"resources": {"train": {"accelerator": "nvidia.com/gpu"}}}, "is no accelerator of Vertex"),
        ({"resources": {"train": {"cpu": 128}}}, "train asks for 128 cores and 6 GB"),
        ({"resources": {"distill": {"memory_gb": 1000}}}, "1000 GB; Vertex AI gives at most 96 and 624"),
    ],
)  # fmt: skip
def test_what_it_does_not_have_is_refused_and_not_dropped(settings, what, tmp_path):
    limits = ON_GPU if "accelerator" in str(settings) else {}
    assert what in refusal(tmp_path, settings, limits=limits).what


def test_a_gpu_needs_its_name_there(tmp_path):
    error = refusal(tmp_path, {}, limits=ON_GPU)
    assert "train was given a GPU, and nothing says which" in error.what
    resources = {"train": {"accelerator": "NVIDIA_L4"}}
    assert "resources: {train: {accelerator: NVIDIA_L4}}" in error.fix
    config = config_of(tmp_path, kubeflow=SETTINGS | {"resources": resources}, limits=ON_GPU)
    check(graph_of(config), config.kubeflow)


def test_a_name_that_begins_with_a_digit_is_refused(tmp_path):
    error = refusal(tmp_path, {}, name="2faces")
    assert "wants a letter first" in error.what
    assert error.fix == "call it 'run-2faces'"
