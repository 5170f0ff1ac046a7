"""A step's result: one folder in, one folder out, with digests that its statement vouches for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.contract import executor_input
from components.contract.errors import UserError
from components.contract.execution import USER_FAULT, execute
from components.contract.executor_input import Call, parse_executor_input
from components.contract.results import ResultForm, display_name_of, stated_digest
from components.contract.tree import tree_of

ROOT = Path(__file__).parents[3]
RUN = "gs://b/root/faces/run"


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of /gcs/, where the launcher lays what it has downloaded."""
    monkeypatch.setitem(executor_input._MOUNTS, "gs://", f"{tmp_path}/gcs/")
    return tmp_path / "gcs"


def artifact(uri: str, **metadata: Any) -> dict[str, Any]:
    kind = {"schemaTitle": "system.Model"}
    return {"artifacts": [{"name": "1", "uri": uri, "type": kind, "metadata": metadata}]}


def message(
    outputs: Mapping[str, Any], inputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> str:
    return json.dumps(
        {
            "inputs": {"artifacts": inputs, "parameterValues": parameters},
            "outputs": {
                "artifacts": outputs, "outputFile": "/tmp/kfp_outputs/output_metadata.json",
            },
        }
    )  # fmt: skip


def convert(mount: Path, inputs: Mapping[str, Any], **parameters: Any) -> Call:
    """The call of a step that converts, in a pipeline of results."""
    made = {"lite_model": artifact(f"{RUN}/convert-small/salt/lite_model")}
    text = message(made, inputs, parameters)
    text = text.replace("/tmp/kfp_outputs", str(mount.parent))
    return parse_executor_input("convert", text, ResultForm("lite_model"))


@pytest.fixture
def trained(mount: Path, pattern_classifier: Path) -> dict[str, Any]:
    """The result of a training, as the launcher has downloaded it."""
    folder = mount / "b/root/faces/run/train/salt/model"
    shutil.copytree(pattern_classifier, folder / "model")
    stated = {"outputs": {"model": {"digest": tree_of(folder / "model").digest}}}
    (folder / "statement.json").write_text(json.dumps(stated))
    return artifact(f"{RUN}/train/salt/model", display_name="train")


def test_an_input_is_the_part_of_a_result_that_the_task_names(
    mount: Path, trained: dict[str, Any]
) -> None:
    call = convert(mount, {"model": trained}, ports={"model": "model"}, cache_key="f" * 32)
    folder = mount / "b/root/faces/run/train/salt/model/model"
    assert call.inputs == {"model": folder}
    assert call.input_digests == {"model": tree_of(folder).digest}
    assert call.input_uris == {"model": f"{RUN}/train/salt/model/model"}
    assert "ports" not in call.parameters
    assert call.outputs == {
        name: mount / f"b/root/faces/run/convert-small/salt/lite_model/{name}"
        for name in ("lite", "report")
    }


def test_an_artifact_that_has_a_digest_is_what_the_port_takes(mount: Path) -> None:
    """Sources, what is beside a result, and what earlier versions left in a pipeline root."""
    own = artifact("gs://b/m", digest="d" * 64)
    call = convert(mount, {"model": own}, ports={"model": "model"})
    assert call.inputs == {"model": mount / "b/m"}
    assert call.input_digests == {"model": "d" * 64}
    assert call.input_uris == {"model": "gs://b/m"}


def test_outputs_and_statement_lie_in_the_result(
    mount: Path, trained: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    call = convert(mount, {"model": trained}, ports={"model": "model"})
    assert execute(call) == 0, capsys.readouterr().err
    folder = mount / "b/root/faces/run/convert-small/salt/lite_model"
    assert {path.name for path in folder.iterdir()} == {"lite", "report", "statement.json"}
    statement = json.loads((folder / "statement.json").read_bytes())
    for name in ("lite", "report"):
        assert statement["outputs"][name]["digest"] == tree_of(folder / name).digest
        assert stated_digest(folder, name, "") == tree_of(folder / name).digest
        uri = f"{RUN}/convert-small/salt/lite_model/{name}"
        assert statement["outputs"][name]["uri"] == uri
    assert statement["inputs"]["model"]["uri"] == f"{RUN}/train/salt/model/model"
    told = json.loads((mount.parent / "output_metadata.json").read_bytes())
    shown = {"display_name": "small"}
    assert told == {
        "artifacts": {
            "lite_model": {
                "artifacts": [{"uri": f"{RUN}/convert-small/salt/lite_model", "metadata": shown}]
            }
        }
    }
    assert statement["artifact"] == {
        "name": "lite_model", "type": "system.Model", "metadata": shown,
    }  # fmt: skip


def test_the_statement_counts_in_no_digest(mount: Path, trained: dict[str, Any]) -> None:
    folder = mount / "b/root/faces/run/train/salt/model"
    statement = json.loads((folder / "statement.json").read_text())
    (folder / "statement.json").write_text(json.dumps({**statement, "started": "later"}))
    call = convert(mount, {"model": trained}, ports={"model": "model"})
    assert call.input_digests == {"model": statement["outputs"]["model"]["digest"]}
    assert execute(call) == 0


def test_a_result_that_is_not_what_its_statement_says_is_refused(
    mount: Path, trained: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (mount / "b/root/faces/run/train/salt/model/model/model.json").write_text("{}")
    call = convert(mount, {"model": trained}, ports={"model": "model"})
    assert execute(call) == USER_FAULT
    assert "without cached results" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "has no statement.json, so it is no whole result"),
        ("{", "states no digest of 'model'"),
        ('{"outputs": {"other": {"digest": "d"}}}', "states no digest of 'model'"),
        ('{"outputs": {"model": {"digest": 3}}}', "states no digest of 'model'"),
        ('{"outputs": []}', "states no digest of 'model'"),
    ],
)
def test_a_result_without_a_good_statement_is_refused(
    mount: Path, trained: dict[str, Any], text: str | None, said: str
) -> None:
    path = mount / "b/root/faces/run/train/salt/model/statement.json"
    good = path.read_text()
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        convert(mount, {"model": trained}, ports={"model": "model"})
    assert f"{RUN}/train/salt/model" in caught.value.what
    assert caught.value.fix == "run the step again that made it, without cached results"
    path.write_text(good)
    assert convert(mount, {"model": trained}, ports={"model": "model"})


def test_what_is_beside_a_result_has_a_place_of_its_own(mount: Path) -> None:
    given = {"front": artifact("gs://b/front", digest="d")}
    made = {name: artifact(f"{RUN}/search-page/salt/{name}") for name in ("statement", "page")}
    form = ResultForm("statement", ("page",))
    call = parse_executor_input("search_page", message(made, given, {}), form)
    folder = mount / "b/root/faces/run/search-page/salt"
    assert call.outputs == {"page": folder / "page"}
    assert call.statement == folder / "statement/statement.json"
    for missing in made:
        rest = {name: item for name, item in made.items() if name != missing}
        with pytest.raises(UserError, match=f"no path for its output '{missing}'") as caught:
            parse_executor_input("search_page", message(rest, given, {}), form)
        assert "recompile" in caught.value.fix


def test_without_a_form_parameters_of_results_are_none_of_the_components(mount: Path) -> None:
    made = {name: artifact(f"{RUN}/c/salt/{name}") for name in ("lite", "report")}
    text = message(made, {"model": artifact("gs://b/m")}, {"ports": {}})
    with pytest.raises(UserError, match="convert has no parameter 'ports'"):
        parse_executor_input("convert", text)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("convert-student-int8", "student-int8"),
        ("evaluate-student-int8", "student-int8"),
        ("benchmark-student-int8-host", "student-int8-host"),
        ("evaluate-sealed", "sealed"),
        ("prune-weights-50", "prune-weights-50"),
        ("select", "select"),
    ],
)
def test_a_task_of_a_variant_is_called_after_it(task: str, name: str) -> None:
    assert display_name_of(task) == name


def test_a_task_may_say_what_people_call_what_it_makes(
    mount: Path, trained: dict[str, Any]
) -> None:
    inputs = {"model": trained}
    told = convert(mount, inputs, ports={"model": "model"}, cache_key="0123 mine").result
    unsaid = convert(mount, inputs, ports={"model": "model"}).result
    assert (told and told.display_name, unsaid and unsaid.display_name) == ("mine", "small")


def test_the_command_takes_the_form_with_an_executor_input_alone(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "components", "convert", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    refused = run("--result", "lite_model", "--model", str(tmp_path))
    assert refused.returncode == USER_FAULT
    assert "--result and --beside say what an executor input means" in refused.stderr
    made = {"lite_model": artifact("gs://b/r/lite_model")}
    text = message(made, {"model": artifact("gs://b/absent")}, {"ports": {"model": "model"}})
    asked = run("--result", "lite_model", "--executor-input", text)
    assert asked.returncode == USER_FAULT
    assert "gs://b/absent has no statement.json" in asked.stderr
