"""The entry point behind Kubeflow Pipelines: what it reads, checks, and writes for others to read."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from components.contract import execution, executor_input
from components.contract.errors import UserError
from components.contract.execution import CRASHED, USER_FAULT, execute
from components.contract.executor_input import parse_executor_input
from components.contract.interface import interface_of
from components.contract.source import SourceFile, source_digest
from components.contract.tree import tree_of
from tests.data.deep_trees import dig

ROOT = Path(__file__).parents[3]


@pytest.fixture
def mount(tmp_path, monkeypatch):
    """A folder in the place of /gcs/, where the launcher lays what it has downloaded."""
    monkeypatch.setitem(executor_input._MOUNTS, "gs://", f"{tmp_path}/gcs/")
    return tmp_path / "gcs"


def artifact(uri, **metadata):
    return {"artifacts": [{"name": "1", "uri": uri, "metadata": metadata}]}


def message(component, root, inputs=None, parameters=None):
    outputs = {
        port.name: artifact(f"{root}/{port.name}") for port in interface_of(component).outputs
    }
    return json.dumps(
        {
            "inputs": {"artifacts": inputs or {}, "parameterValues": parameters or {}},
            "outputs": {
                "artifacts": outputs | {"statement": artifact(f"{root}/statement")},
                "outputFile": f"{root.replace('gs://', '/tmp/')}/output.json",
            },
        }
    )


def test_addresses_become_the_paths_of_their_mounts():
    call = parse_executor_input(
        "convert",
        message(
            "convert", "s3://b/run", {"model": artifact("gs://b/m", digest="d")}, {"threads": 1.0}
        ),
    )
    assert call.inputs["model"] == Path("/gcs/b/m")
    assert call.outputs["lite"] == Path("/s3/b/run/lite")
    assert call.input_uris == {"model": "gs://b/m"}
    assert call.parameters["threads"] == 1
    assert isinstance(call.parameters["threads"], int)


def test_null_is_an_input_that_is_absent():
    for absent in (None, {"artifacts": []}):
        given = {"dataset": artifact("/d"), "weights": absent}
        call = parse_executor_input("train", message("train", "/o", given, {"patience": None}))
        assert call.inputs["weights"] is None
    assert call.parameters["patience"] is None


def test_numbered_inputs_are_one_list_with_its_digests_and_addresses():
    given = {f"models_{i}": artifact(f"gs://b/{i}", digest=str(i)) for i in range(11)}
    given |= {name: artifact("/local", digest="x") for name in ("evaluations", "benchmarks")}
    parameters = {"names": [], "devices": [], "candidates": [], "task": "verification"}
    parameters |= {"metric": "auc", "drop": 0.1}
    call = parse_executor_input("select", message("select", "/o", given, parameters))
    assert call.inputs["models"] == [Path(f"/gcs/b/{i}") for i in range(11)]
    assert call.input_digests["models"] == [str(i) for i in range(11)]
    assert call.input_uris == {"models": [f"gs://b/{i}" for i in range(11)]}


def write_source(folder, **files):
    (folder / "files").mkdir(parents=True)
    listed = []
    for name, text in files.items():
        (folder / "files" / name).write_text(text)
        listed.append(SourceFile(name, len(text), "0" * 64))
    content = {"format": "npz", "files": [asdict(file) for file in listed]}
    (folder / "source.json").write_text(json.dumps(content))
    return source_digest("npz", tuple(listed))


INGEST = {"task": "verification", "height": 8, "width": 8}


def test_the_digest_of_a_source_is_a_parameter_that_is_checked(tmp_path, capsys):
    digest = write_source(tmp_path / "source", a="abc")
    given = {"source": artifact(str(tmp_path / "source"), digest=digest)}
    text = message("ingest", str(tmp_path), given, INGEST | {"source_digest": digest})
    call = parse_executor_input("ingest", text)
    assert call.input_digests["source"] == digest
    assert "source_digest" not in call.parameters
    other = message("ingest", str(tmp_path), given, INGEST | {"source_digest": "f" * 64})
    assert execute(parse_executor_input("ingest", other)) == USER_FAULT
    said = capsys.readouterr().err
    assert f"source: what lies at {tmp_path / 'source'} has the digest {digest}" in said
    assert f"expected {'f' * 64}" in said


def test_only_a_source_has_such_a_parameter(tmp_path):
    given = {"model": artifact("gs://b/m")}
    with pytest.raises(UserError, match="convert has no parameter 'model_digest'"):
        parse_executor_input("convert", message("convert", "/o", given, {"model_digest": "0"}))


def test_what_came_from_a_bucket_is_held_against_its_digest(mount, pattern_classifier, capsys):
    shutil.copytree(pattern_classifier, mount / "b" / "m")
    wrong = message("convert", "gs://b/run", {"model": artifact("gs://b/m", digest="f" * 64)})
    assert execute(parse_executor_input("convert", wrong)) == USER_FAULT
    assert "without cached results" in capsys.readouterr().err
    gone = message("convert", "gs://b/run", {"model": artifact("gs://b/n", digest="f" * 64)})
    assert execute(parse_executor_input("convert", gone)) == USER_FAULT
    assert "has the digest of nothing" in capsys.readouterr().err
    statement = json.loads((mount / "b/run/statement").read_text())
    assert statement["outcome"]["result"] == "user-fault"
    assert statement["inputs"] == {"model": {"digest": "f" * 64, "uri": "gs://b/n"}}


def test_the_check_of_inputs_is_what_stops_them(mount, pattern_classifier, monkeypatch):
    shutil.copytree(pattern_classifier, mount / "b" / "m")
    monkeypatch.setattr(execution, "_check_inputs", lambda _: None)
    wrong = message("convert", "gs://b/run", {"model": artifact("gs://b/m", digest="f" * 64)})
    assert execute(parse_executor_input("convert", wrong)) == 0


def test_statements_name_addresses_of_buckets_and_nothing_else(mount, pattern_classifier, tmp_path):
    shutil.copytree(pattern_classifier, mount / "b" / "m")
    digest = tree_of(pattern_classifier).digest
    for uri, said in (
        ("gs://b/m", {"digest": digest, "uri": "gs://b/m"}),
        (str(pattern_classifier), digest),
    ):
        root = str(tmp_path / uri.replace("/", "-"))
        call = parse_executor_input(
            "convert", message("convert", root, {"model": artifact(uri, digest=digest)})
        )
        assert execute(call) == 0
        statement = json.loads(Path(root, "statement").read_text())
        assert statement["inputs"] == {"model": said}
        output = json.loads(Path(root, "output.json").read_text())
        tree = tree_of(Path(root, "lite"))
        assert output["artifacts"]["lite"]["artifacts"] == [
            {
                "uri": f"{root}/lite",
                "metadata": {"digest": tree.digest, "size_bytes": tree.size_bytes},
            }
        ]


def test_an_output_too_deep_to_be_an_artifact_is_said(cleared, pattern_classifier, capsys):
    (cleared / "report").mkdir()
    dig(cleared / "report", 100)  # as if the component had left it
    given = {"model": artifact(str(pattern_classifier))}
    call = parse_executor_input("convert", message("convert", str(cleared), given))
    assert execute(call) == CRASHED
    outcome = json.loads((cleared / "statement").read_text())["outcome"]
    assert outcome["result"] == "crashed"
    assert outcome["what"].startswith(f"its output report cannot be kept: {cleared}/report/d/d/")
    assert outcome["what"].endswith("lies deeper than the 64 levels of an artifact")
    assert outcome["what"] in capsys.readouterr().err
    assert not (cleared / "output.json").exists()


def test_metadata_are_strings_and_numbers():
    content = {
        "auc": 0.5,
        "n": 3,
        "winner": "a",
        "stable": True,
        "none": None,
        "list": [1, {"a": 2}],
    }
    assert execution._scalars(content) == {
        "auc": 0.5, "n": 3, "winner": "a", "stable": "true", "list": '[1,{"a":2}]',
    }  # fmt: skip


def test_a_process_says_the_fault_of_its_input_and_exits_with_two(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "components", "convert", "--executor-input", "{{$}}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == USER_FAULT
    assert "is no JSON" in done.stderr


def test_the_file_for_progress_is_named_by_the_engine_or_by_nobody(tmp_path):
    write_source(tmp_path / "source", a="abc")
    given = {"source": artifact(str(tmp_path / "source"))}
    text = message("ingest", str(tmp_path), given, INGEST)
    assert parse_executor_input("ingest", text).progress is None
    named = json.dumps({**json.loads(text), "progress": str(tmp_path / "progress")})
    assert parse_executor_input("ingest", named).progress == tmp_path / "progress"
    with pytest.raises(UserError, match="names no file for progress"):
        parse_executor_input("ingest", json.dumps({**json.loads(text), "progress": 3}))
