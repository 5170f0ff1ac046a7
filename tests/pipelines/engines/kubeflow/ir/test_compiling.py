"""The compiled pipeline is what the SDK would have written, and says all that is configured."""

import gc
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.contract.metadata import SERVICE
from pipelines.compress import graph_of
from pipelines.engines.kubeflow.ir.compiling import SDK_VERSION, compiled, needed_artifacts
from pipelines.engines.kubeflow.ir.importers import Imported
from pipelines.engines.kubeflow.ir.preflight import check
from pipelines.engines.kubeflow.ir.yaml_text import write
from pipelines.runs.graph import Graph, Ref, SourceRef, Step
from tests.pipelines.engines.kubeflow import sdk
from tests.pipelines.engines.kubeflow.graphs import (
    ELSEWHERE,
    EVERYTHING,
    EXAMPLES,
    ON_GPU,
    REFERENCES,
    SETTINGS,
    TINY,
    compile_config,
    config_of,
)

GUIDED = {"teacher": {"backbone": "conv", "epochs": 1, "weights": "gs://bucket/w.safetensors"}}
IMPORTED = {
    "teacher": {
        "model": "gs://bucket/face.keras",
        "normalization": {"mean": 127.5, "scale": 127.5},
    }
}


def messages(text):
    """Parse both documents strictly into the messages that the server reads."""
    from google.protobuf import json_format
    from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes
    from kfp.pipeline_spec import pipeline_spec_pb2

    pipeline, platform = yaml.safe_load_all(text)
    spec = json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    pods = {
        name: json_format.ParseDict(pod, kubernetes.KubernetesExecutorConfig())
        for name, pod in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].items()
    }
    return spec, pods


def documents(config):
    return list(yaml.safe_load_all(compile_config(config).text))


# against the SDK --------------------------------------------------------------------------------


def test_the_sdk_would_have_written_the_same(tmp_path):
    store = str(tmp_path / "store")
    config = config_of(tmp_path, kubeflow=EVERYTHING, limits=ON_GPU, store=store, devices=ELSEWHERE)
    ours, theirs = documents(config), sdk.compiled(config, tmp_path / "sdk.yaml")
    assert theirs[0] == ours[0]
    assert theirs[1] == ours[1]


def test_a_choice_for_each_device_compiles_as_the_sdk_would(tmp_path):
    devices = [{"kind": "host", "name": name} for name in ("desk", "rack")]
    config = config_of(tmp_path, devices=devices, select={"per": "device"})
    (ours, pods), theirs = documents(config), sdk.compiled(config, tmp_path / "sdk.yaml")
    assert theirs == [ours, pods]
    tasks = ours["root"]["dag"]["tasks"]
    given = {
        name: each["taskOutputArtifact"]["producerTask"]
        for name, each in tasks["publish"]["inputs"]["artifacts"].items()
    }
    chosen = ("select-desk", "select-rack")
    assert {name: step for name, step in given.items() if name.startswith("winners")} == {
        "winners_0": chosen[0], "winners_1": chosen[1],
    }  # fmt: skip
    assert {step for name, step in given.items() if name.startswith("sealed_")} >= {
        "evaluate-sealed-desk", "evaluate-sealed-rack",
    }  # fmt: skip
    messages(compile_config(config).text)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_parses_strictly_and_the_sdk_loads_it(example, tmp_path):
    from kfp.components import load_component_from_text

    config = config_of(tmp_path, example)
    made = compile_config(config)
    spec, pods = messages(made.text)
    graph = graph_of(config)
    sources = {f"source-{name}" for name in graph.sources}
    assert set(spec.root.dag.tasks) == sources | {step.name for step in graph.steps}
    labels = {
        component.executor_label
        for name, component in spec.components.items()
        if not name.startswith("comp-source-")
    }
    assert set(pods) == labels
    assert len(labels) < len(graph.steps)
    assert load_component_from_text(made.text).name == config.name
    for step in graph.steps:
        task = spec.root.dag.tasks[step.name]
        assert task.task_info.name == step.name
        producers = {ref.step for ref in step.refs} | {
            f"source-{flow.name}" for flow in step.inputs.values() if isinstance(flow, SourceRef)
        }
        assert set(task.dependent_tasks) == producers


def test_an_sdk_of_another_version_is_recognized():
    from importlib.metadata import version

    assert f"kfp-{version('kfp')}" == SDK_VERSION


# what it says -----------------------------------------------------------------------------------


def test_pods_that_measure_on_a_device_alone_see_the_key_that_leads_there(tmp_path):
    config = config_of(tmp_path, kubeflow=EVERYTHING, devices=ELSEWHERE, limits=ON_GPU)
    spec, platform = documents(config)
    executors = spec["deploymentSpec"]["executors"]
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    told = {}
    for name, pod in pods.items():
        mounted = {one["secretName"]: one["mountPath"] for one in pod.get("secretAsVolume", ())}
        variables = {one["name"]: one["value"] for one in executors[name]["container"]["env"]}
        assert mounted.pop("certificates") == "/etc/certificates"
        told[name] = (mounted, variables.get("SLIMLINE_DEVICES_HOST"))
        assert variables.get("SLIMLINE_DEVICES_KEYS") == mounted.get("lab-ssh")
    keys = ({"lab-ssh": "/etc/slimline-devices/lab-ssh"}, "me@lab.lan")
    assert {name for name, one in told.items() if one == keys} == {
        "exec-benchmark-ssh", "exec-benchmark-adb"
    }  # fmt: skip
    assert all(one in (keys, ({}, None)) for one in told.values())


def test_a_measurement_on_a_device_is_cached_where_it_is_known_which(tmp_path):
    config = config_of(tmp_path, devices=ELSEWHERE, kubeflow=EVERYTHING, limits=ON_GPU)
    graph = graph_of(config)
    unknown = check(config, graph)

    def tasks(reachable):
        made = compiled(reachable, dict.fromkeys(graph.sources, "1" * 64), REFERENCES)
        return made.spec["root"]["dag"]["tasks"]

    def key(task):
        return task["inputs"]["parameters"]["cache_key"]["runtimeValue"]["constant"]

    board, phone, here = (f"benchmark-student-{name}" for name in ("pi5", "s21", "host"))
    before = tasks(unknown)
    assert before[board]["cachingOptions"] == before[phone]["cachingOptions"] == {}
    assert before[here]["cachingOptions"] == {"enableCache": True}
    seen = tasks(replace(unknown, devices={"pi5": {"kernel": "6.1"}}))
    assert seen[board]["cachingOptions"] == {"enableCache": True}, "what was measured hangs on it"
    assert seen[phone]["cachingOptions"] == {}
    updated = tasks(replace(unknown, devices={"pi5": {"kernel": "6.6"}}))
    assert len({key(one[board]) for one in (before, seen, updated)}) == 3
    assert len({key(one[here]) for one in (before, seen, updated)}) == 1


def test_equal_configurations_give_equal_bytes_in_any_process(tmp_path):
    config = config_of(tmp_path, kubeflow=EVERYTHING, limits=ON_GPU)
    made = compile_config(config)
    assert made.digest == hashlib.sha256(made.text.encode()).hexdigest()
    script = (
        "import sys; from pathlib import Path; from tests.pipelines.engines.kubeflow.graphs import *;"
        "print(compile_config(load(Path(sys.argv[1]))).digest)"
    )
    for seed in "01":
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "config.yaml")],
            cwd=TINY.parents[2],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == made.digest


def test_a_source_enters_by_an_importer_and_its_digest_as_a_parameter(tmp_path):
    made = compile_config(config_of(tmp_path, **IMPORTED))
    place = f"gs://bucket/pipelines/sources/{'1' * 64}"
    assert made.sources == {"data": place, "model": place}
    spec, _ = messages(made.text)
    importer = spec.deployment_spec["executors"]["exec-source-model"]["importer"]
    assert importer["artifactUri"]["constant"] == place
    assert importer["metadata"]["digest"] == "1" * 64
    assert importer["metadata"]["display_name"] == "face.keras"
    imported = spec.root.dag.tasks["import-model"].inputs.artifacts["source"].task_output_artifact
    assert (imported.producer_task, imported.output_artifact_key) == ("source-model", "model")
    declared = spec.components["comp-import-model"].input_definitions.parameters
    assert declared["source_digest"].default_value.string_value == "1" * 64
    assert "train" not in spec.root.dag.tasks
    weights, _ = messages(compile_config(config_of(tmp_path, **GUIDED)).text)
    assert "weights_digest" in weights.components["comp-train"].input_definitions.parameters


def test_many_inputs_have_a_name_each(tmp_path):
    spec, _ = messages(compile_config(config_of(tmp_path)).text)
    select = spec.root.dag.tasks["select"].inputs.artifacts
    assert [select[f"models_{i}"].task_output_artifact.producer_task for i in range(3)] == [
        "convert-teacher", "convert-student", "convert-pruned-int8",
    ]  # fmt: skip
    assert "models_3" not in select
    assert "models" not in select


def test_the_ui_gets_types_that_it_can_show(tmp_path):
    spec, _ = messages(compile_config(config_of(tmp_path)).text)

    def outputs(step):
        component = spec.root.dag.tasks[step].component_ref.name
        artifacts = spec.components[component].output_definitions.artifacts
        return {name: artifact.artifact_type.schema_title for name, artifact in artifacts.items()}

    assert outputs("evaluate-teacher") == {"metrics": "system.Metrics"}
    assert outputs("evaluate-sealed-teacher") == {"metrics": "system.Metrics"}
    assert outputs("evaluate-sealed") == {
        "metrics": "system.Metrics", "curve": "system.ClassificationMetrics",
    }  # fmt: skip
    assert outputs("select") == {"metrics": "system.Metrics", "page": "system.HTML"}
    assert outputs("ingest") == {"dataset": "system.Dataset", "sealed": "system.Dataset"}
    assert outputs("train") == outputs("distill-conv-025") == {"model": "system.Model"}
    assert outputs("convert-teacher") == {"lite_model": "system.Model"}
    assert outputs("publish") == {
        "release": "system.Artifact", "page": "system.HTML", "report": "system.HTML",
    }  # fmt: skip


def test_all_is_cached_but_what_a_run_is_found_by(tmp_path):
    spec, _ = messages(compile_config(config_of(tmp_path)).text)
    never = {n for n, task in spec.root.dag.tasks.items() if not task.caching_options.enable_cache}
    assert never == {"select", "publish"}
    spec, _ = messages(
        compile_config(config_of(tmp_path, kubeflow=SETTINGS | {"cache": False})).text
    )
    assert not any(task.caching_options.enable_cache for task in spec.root.dag.tasks.values())


def test_resources_follow_from_the_step_unless_given(tmp_path):
    limits = ON_GPU | {"distill": {"memory_gb": 3.5, "minutes": 20}}
    config = config_of(tmp_path, kubeflow=EVERYTHING, threads=2, limits=limits)
    pipeline, platform = documents(config)
    executors = pipeline["deploymentSpec"]["executors"]
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    given = executors["exec-train"]["container"]["resources"]
    assert (given["resourceCpuLimit"], given["resourceMemoryRequest"]) == ("4000m", "12500M")
    assert given["accelerator"]["resourceType"] == "example.com/gpu"
    assert given["accelerator"]["resourceCount"] == "2"
    assert pods["exec-train"]["activeDeadlineSeconds"] == "5400"
    name = "exec-distill"
    derived = executors[name]["container"]["resources"]
    assert (derived["resourceCpuRequest"], derived["resourceMemoryLimit"]) == ("2000m", "3500M")
    assert "accelerator" not in derived
    assert pods[name]["activeDeadlineSeconds"] == "1800", "ten minutes around the step's twenty"


def test_without_retries_there_is_no_retry(tmp_path):
    config = config_of(tmp_path, kubeflow=SETTINGS | {"retries": 0})
    assert "retryPolicy" not in documents(config)[0]["root"]["dag"]["tasks"]["train"]


@pytest.mark.parametrize(
    "text", ["1e3", "0x10", "1_000", "12e45", "yes", "null", "1:30", "é", "a: b"]
)
def test_text_stays_text_for_every_reader(text, tmp_path):
    environment = SETTINGS | {"environment": {"VALUE": text}}
    made = compile_config(config_of(tmp_path, kubeflow=environment))
    container = documents(config_of(tmp_path, kubeflow=environment))[0]["deploymentSpec"][
        "executors"
    ]
    assert container["exec-train"]["container"]["env"] == [{"name": "VALUE", "value": text}]
    (line,) = {line.strip() for line in made.text.splitlines() if "value:" in line}
    if text != "é":
        assert line.endswith("'") or text == "é", line


# scale ------------------------------------------------------------------------------------------


def chain(count):
    parameters = dict(interface_of("quantize").complete({"scheme": "int8"}, where="quantize"))
    return Graph(
        "chain",
        tuple(
            Step(
                f"s{index}", "quantize",
                {"model": Ref(f"s{(index - 1) // 3}", "quantized") if index else None, "dataset": None},
                parameters | {"seed": index}, 4.0, 60.0,
            )
            for index in range(count)
        ),
        {},
    )  # fmt: skip


def test_time_and_length_grow_with_the_steps_and_not_faster(tmp_path):
    config = config_of(tmp_path)
    spent, length = {}, {}
    gc.disable()  # it walks over whatever else this process holds
    for count in (100, 400):
        began = time.process_time()
        length[count] = len(compiled(check(config, chain(count)), {}, REFERENCES).text)
        spent[count] = time.process_time() - began
    gc.enable()
    assert length[400] < 4.2 * length[100]
    assert spent[400] < 8 * spent[100]


# parts ------------------------------------------------------------------------------------------


def test_a_part_is_fed_by_importers_of_what_lies_in_the_bucket(tmp_path):
    config = config_of(tmp_path)
    graph = graph_of(config)
    only = {step.name for step in graph.steps if step.component in ("evaluate", "select")}
    needed = needed_artifacts(graph, only)
    assert Ref("convert-student", "lite_model") in needed
    assert Ref("ingest", "sealed") in needed
    places = {one: f"gs://bucket/earlier/{one.step}/{one.output}" for one in needed}
    made = compiled(
        check(config, graph),
        dict.fromkeys(graph.sources, "1" * 64),
        REFERENCES,
        only=only,
        imported={one: Imported(uri, {"display_name": one.step}) for one, uri in places.items()},
    )
    spec, _ = messages(made.text)
    assert set(made.steps) == only
    importers = {f"result-{one.step}-{one.output.replace('_', '-')}" for one in needed}
    assert set(spec.root.dag.tasks) == only | importers, "no source is imported for nobody"
    task = spec.root.dag.tasks["evaluate-student"]
    model = task.inputs.artifacts["model"].task_output_artifact
    assert model.producer_task == "result-convert-student-lite-model"
    assert "result-convert-student-lite-model" in task.dependent_tasks
    importer = spec.deployment_spec["executors"]["exec-result-convert-student-lite-model"][
        "importer"
    ]
    assert importer["artifactUri"]["constant"] == "gs://bucket/earlier/convert-student/lite_model"
    assert not importer["reimport"] if "reimport" in importer.fields else True
    whole, _ = messages(compile_config(config).text)
    producer = whole.components["comp-convert"].output_definitions.artifacts["lite_model"]
    assert importer["typeSchema"]["schemaTitle"] == producer.artifact_type.schema_title
    assert importer["metadata"]["display_name"] == "convert-student"


def test_steps_of_a_part_have_the_keys_that_they_have_in_the_whole(tmp_path):
    config = config_of(tmp_path)
    graph = graph_of(config)
    only = {"evaluate-student"}
    imported = {one: Imported("gs://bucket/x") for one in needed_artifacts(graph, only)}
    made = compiled(
        check(config, graph),
        dict.fromkeys(graph.sources, "1" * 64),
        REFERENCES,
        only=only,
        imported=imported,
    )

    def key(document):
        task = document.spec["root"]["dag"]["tasks"]["evaluate-student"]
        return task["inputs"]["parameters"]["cache_key"], task["cachingOptions"]

    assert key(made) == key(compile_config(config))


# what a run is told -----------------------------------------------------------------------------


def test_a_run_says_its_data_configuration_and_seed(tmp_path):
    config = config_of(tmp_path, seed=11)
    made = compile_config(config)
    assert made.parameters == {
        "configuration": config.digest[:16], "data": "gs://bucket/data", "seed": 11,
    }  # fmt: skip
    spec, _ = messages(made.text)
    declared = spec.root.input_definitions.parameters
    assert declared["seed"].default_value.number_value == 11
    assert all(one.is_optional for one in declared.values()), "a form in the UI need not be filled"


def test_attempts_have_time_to_live_as_long_as_the_step_may(tmp_path):
    limits = {"distill": {"minutes": 300}}
    config = config_of(tmp_path, kubeflow=SETTINGS | {"retries": 3, "backoff_s": 30}, limits=limits)
    pipeline, platform = documents(config)
    life_s = int(
        platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-distill"][
            "activeDeadlineSeconds"
        ]
    )
    task = next(n for n in pipeline["root"]["dag"]["tasks"] if n.startswith("distill"))
    longest = pipeline["root"]["dag"]["tasks"][task]["retryPolicy"]["backoffMaxDuration"]
    waits = 30 + 60 + 120
    assert int(longest.removesuffix("s")) == 4 * life_s + waits


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    made = compile_config(config_of(tmp_path))
    write(made.text, tmp_path / "pipeline.yaml")
    assert (tmp_path / "pipeline.yaml").read_text() == made.text
    with pytest.raises(UserError, match="cannot be written"):
        write(made.text, tmp_path / "missing" / "pipeline.yaml")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write(made.text, tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path / "pipe" / "in", Path("/"), Path("n" * 300)):
        with pytest.raises(UserError, match="cannot be written"):
            write(made.text, place)
    assert (tmp_path / "pipe").is_fifo()
    names = {"config.yaml", "pipeline.yaml", "folder", "pipe"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_steps_that_make_pages_are_told_of_the_service_and_no_others(tmp_path: Path) -> None:
    linked = SETTINGS | {"service": "https://slimline.example.com", "environment": {"A": "b"}}
    spec = documents(config_of(tmp_path, kubeflow=linked))[0]
    told = {
        name.removeprefix("exec-")
        for name, one in spec["deploymentSpec"]["executors"].items()
        if {"name": SERVICE, "value": linked["service"]} in one.get("container", {}).get("env", ())
    }
    assert {"select", "publish"} <= told
    assert not {"ingest", "train", "convert"} & told
    for other in ("slimline.example.com", "https://slimline.example.com/", "https://a b"):
        with pytest.raises(UserError, match="no address of a server"):
            config_of(tmp_path, kubeflow=SETTINGS | {"service": other})
