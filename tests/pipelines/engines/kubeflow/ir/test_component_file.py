"""A component alone is what the SDK would write of it, and fits into a stranger's pipeline."""

import inspect
import json
from typing import Any, List, Optional  # noqa: UP035 the SDK reads these alone

import pytest
import yaml
from google.protobuf import json_format
from kfp import compiler, dsl
from kfp.components import load_component_from_file, load_component_from_text
from kfp.dsl.types.type_utils import InconsistentTypeException
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from components import COMPONENTS
from components.contract.executor_input import NOT_GIVEN, parse_executor_input
from components.contract.interface import interface_of
from pipelines.cli.main import main
from pipelines.engines.kubeflow.ir.component_file import component_file
from pipelines.images.building import image_name
from tests.pipelines.engines.kubeflow.graphs import ON_GPU, REFERENCES, SETTINGS, config_of
from tests.servers.docker import built, docker_engine
from tests.servers.web import Reply

IMAGE = f"registry.example/slimline/train@sha256:{'1' * 64}"
CLASSES = {
    "Dataset": dsl.Dataset, "Model": dsl.Model, "LiteModel": dsl.Model, "Metrics": dsl.Metrics,
    "Curve": dsl.ClassificationMetrics, "Page": dsl.HTML,
}  # fmt: skip
TYPES = {
    "STRING": str,
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "BOOLEAN": bool,
    "LIST": list,
}


def message(text):
    return json_format.ParseDict(yaml.safe_load(text), pb.PipelineSpec())


def by_the_sdk(name, path):
    """Write the same component with the SDK's own decorator."""
    ours = yaml.safe_load(component_file(name, IMAGE))
    types = ours["root"]["inputDefinitions"].get("parameters", {})
    interface, hints, defaults = interface_of(name), {}, {}
    for port in interface.inputs:
        kind = CLASSES.get(port.kind, dsl.Artifact)
        hints[port.name] = dsl.Input[List[kind] if port.many else kind]  # noqa: UP006
        if port.optional:
            hints[port.name] = Optional[hints[port.name]]  # noqa: UP045
            defaults[port.name] = None
    for each, declared in types.items():
        hint = TYPES.get(declared["parameterType"], dict)
        if declared.get("isOptional"):
            defaults[each] = declared.get("defaultValue")
            hint = hint if defaults[each] is not None else Optional[hint]  # noqa: UP045
        hints[each] = hint
    for port in interface.outputs:
        hints[port.name] = dsl.Output[CLASSES.get(port.kind, dsl.Artifact)]
    hints["statement"] = dsl.Output[dsl.Artifact]

    def function(*_: Any, **__: Any) -> Any:
        arguments = [name, "--executor-input", "{{$}}"]
        command = ["python", "-m", "components"]
        return dsl.ContainerSpec(image=IMAGE, command=command, args=arguments)

    kind, empty = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
    function.__name__, function.__annotations__ = name, hints
    function.__signature__ = inspect.Signature(
        inspect.Parameter(each, kind, annotation=hint, default=defaults.get(each, empty))
        for each, hint in hints.items()
    )
    compiler.Compiler().compile(dsl.container_component(function), str(path))
    return path.read_text()


def without_texts(item):
    if isinstance(item, dict):
        return {k: without_texts(v) for k, v in item.items() if k != "description"}
    return item


@pytest.mark.parametrize("name", COMPONENTS)
def test_it_is_what_the_sdk_writes(name, tmp_path):
    ours, theirs = component_file(name, IMAGE), by_the_sdk(name, tmp_path / "theirs.yaml")
    one, other = (json_format.MessageToDict(message(text)) for text in (ours, theirs))
    if name in ("select", "publish"):  # no cache may answer for them
        assert one["root"]["dag"]["tasks"][name]["cachingOptions"] == {}
        one["root"]["dag"]["tasks"][name]["cachingOptions"] = {"enableCache": True}
        assert "set_caching_options(False)" in one["pipelineInfo"]["description"]
    assert without_texts(one) == without_texts(other)


def test_it_says_what_everything_is_for(tmp_path):
    path = tmp_path / "prune.yaml"
    path.write_text(component_file("prune", IMAGE))
    loaded = load_component_from_file(str(path))
    assert loaded.name == "prune"
    given = yaml.safe_load(path.read_text())["root"]["inputDefinitions"]
    assert given["parameters"]["sparsity"]["description"].startswith("Share of the weights")
    assert all(each.get("description") for each in given["artifacts"].values())
    assert loaded.component_spec.inputs["model"].type == "system.Model@0.0.1"
    assert loaded.component_spec.implementation.container.image == IMAGE


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_entry_of_the_image_takes_what_a_task_of_it_is_given(name, tmp_path):
    """Optional inputs arrive as null or not at all, an integer as a number with a point."""
    spec = json_format.MessageToDict(message(component_file(name, IMAGE)))
    inputs = spec["root"]["inputDefinitions"]
    artifacts = {
        port: None
        if given.get("isOptional")
        else {"artifacts": [{"uri": f"{tmp_path}/{port}", "metadata": {}}]}
        for port, given in inputs.get("artifacts", {}).items()
    }
    required = {
        "names": ["a"], "devices": ["host"], "candidates": ["a"], "name": "a", "metric": "auc",
        "drop": 0.1, "task": "verification", "scheme": "int8", "height": 8, "width": 8, "channels": 1,
        "device": "s21", "host": "pi5.lan", "serial": "R5CT10ABCDE",
    }  # fmt: skip
    values = {
        each: given.get("defaultValue", required.get(each))
        for each, given in inputs.get("parameters", {}).items()
        if "defaultValue" in given or not given.get("isOptional")
    }
    outputs = {
        port: {"artifacts": [{"uri": f"{tmp_path}/out/{port}"}]}
        for port in spec["root"]["outputDefinitions"]["artifacts"]
    }
    text = {
        "inputs": {"artifacts": artifacts, "parameterValues": values},
        "outputs": {"artifacts": outputs, "outputFile": f"{tmp_path}/output.json"},
    }
    call = parse_executor_input(name, json.dumps(text))
    interface = interface_of(name)
    assert set(call.outputs) == {port.name for port in interface.outputs}
    assert call.statement == tmp_path / "out" / "statement"
    for parameter in interface.parameters:
        if not parameter.required:
            assert call.parameters[parameter.name] == parameter.default, parameter.name
        given = inputs["parameters"][parameter.name]
        if given.get("defaultValue") == NOT_GIVEN and parameter.default is None:
            with pytest.raises(ValueError, match="greater than"):
                parameter.validate(NOT_GIVEN, strict=False)


def load(name):
    return load_component_from_text(component_file(name, IMAGE))


def test_a_pipeline_of_others_takes_it_with_types_checked(tmp_path):
    def pipeline(model_of):
        @dsl.pipeline(name="mine")
        def mine():
            data = dsl.importer(artifact_uri="gs://bucket/data", artifact_class=dsl.Artifact)
            ingested = load("ingest")(source=data.output, height=8, width=8, task="verification")
            pruned = load("prune")(model=model_of(ingested), dataset=ingested.outputs["dataset"])
            lite = load("convert")(model=pruned.outputs["pruned"])
            load("benchmark")(model=lite.outputs["lite"])

        return mine

    def trained(ingested):
        return load("train")(dataset=ingested.outputs["dataset"]).outputs["model"]

    compiler.Compiler().compile(pipeline(trained), str(tmp_path / "mine.yaml"))
    spec = message((tmp_path / "mine.yaml").read_text())
    assert len(spec.root.dag.tasks) == 6
    with pytest.raises(InconsistentTypeException, match=r"system.Dataset|system.Model"):
        pipeline(lambda ingested: ingested.outputs["dataset"])


# the command ------------------------------------------------------------------------------------


def pushed(image, *registries):
    digest = f"sha256:{'2' * 64}"
    content = json.loads(built(image).body)
    content["RepoDigests"] = [f"{registry}/{image}@{digest}" for registry in registries]
    return {f"GET /images/{image_name(image)}/json": Reply.of(content)}


def compiling(tmp_path, *arguments):
    return main(["compile", *arguments, "-o", str(tmp_path / "prune.yaml")])


def written_image(tmp_path):
    (executor,) = yaml.safe_load((tmp_path / "prune.yaml").read_text())["deploymentSpec"][
        "executors"
    ].values()
    return executor["container"]["image"]


def test_the_image_is_the_one_that_was_pushed(tmp_path, monkeypatch, capsys):
    with docker_engine(pushed("train", "a.example/me")) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        assert compiling(tmp_path, "--component", "prune", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert written_image(tmp_path) == said["image"] == f"a.example/me/train@sha256:{'2' * 64}"
    assert said["component"] == "prune"


@pytest.mark.parametrize(
    ("registries", "what", "fix"),
    [
        ((), "was pushed nowhere from here", "slimline images push REGISTRY train"),
        (("a.example/me", "b.example/me"), "to a.example/me and b.example/me", "--registry a.ex"),
    ],
)
def test_which_image_is_never_guessed(registries, what, fix, tmp_path, monkeypatch, capsys):
    with docker_engine(pushed("train", *registries)) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        assert compiling(tmp_path, "--component", "prune") == 2
        said = capsys.readouterr().err
        assert what in said
        assert fix in said
        assert not (tmp_path / "prune.yaml").exists()
        if registries:
            more = ("--registry", registries[1])
            assert compiling(tmp_path, "--component", "prune", *more) == 0
            assert written_image(tmp_path).startswith("b.example/me/train@sha256:")


def test_a_configuration_names_the_image_where_no_docker_engine_answers(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    config_of(tmp_path)
    path = str(tmp_path / "config.yaml")
    assert compiling(tmp_path, path, "--component", "prune") == 0
    assert written_image(tmp_path) == REFERENCES["train"]
    config_of(tmp_path, limits={"prune": {"gpu": 1}})
    assert compiling(tmp_path, path, "--component", "prune") == 0
    assert written_image(tmp_path) == REFERENCES["train-gpu"]
    assert "'--gpu'" in str(yaml.safe_load((tmp_path / "prune.yaml").read_text()))
    three = {image: name for image, name in REFERENCES.items() if image != "train-gpu"}
    config_of(tmp_path, kubeflow=SETTINGS | {"images": three}, limits=ON_GPU)
    capsys.readouterr()
    assert compiling(tmp_path, path, "--component", "train") == 2
    assert "there is no image 'train-gpu'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--component", "prun"), "there is no component 'prun'"),
        ((), "there is no CONFIG"),
        (("CONFIG", "--registry", "a.example"), "--registry goes with --component"),
        (("--component", "prune", "--stage"), "brings no data"),
        (("CONFIG", "--component", "prune"), "has no section kubeflow"),
    ],
)
def test_what_makes_no_sense_together_is_refused(arguments, what, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    config_of(tmp_path, kubeflow=None)
    path = str(tmp_path / "config.yaml")
    given = [path if item == "CONFIG" else item for item in arguments]
    assert compiling(tmp_path, *given) == 2
    said = capsys.readouterr().err
    assert what in said
    assert "fix: " in said
