"""Exports: the forms of other programs, read by their own libraries and held against the run."""

import json
import os
import tomllib
import uuid
from pathlib import Path

import pytest

from components.contract.errors import UserError
from pipelines.lineage.bundles.reading import verify_bundle
from pipelines.lineage.exports import extra
from pipelines.lineage.exports.cyclonedx import cyclonedx_of
from pipelines.lineage.exports.openlineage import openlineage_of
from pipelines.lineage.exports.run_facts import facts_of
from pipelines.lineage.exports.writing import SUFFIXES, export_as
from pipelines.lineage.proof.chain import Extent
from pipelines.runs.cache import Cache
from pipelines.runs.records import read_run
from tests.data import kept_release
from tests.pipelines.lineage.proof.test_chain import entry
from tests.pipelines.stores.damage import overwrite

ABOUT = {
    "owner": "Ann Example", "contact": "ann@example.org", "purpose": "telling digits apart",
    "data_licence": "CC0-1.0", "legal_basis": "consent",
}  # fmt: skip


@pytest.fixture
def facts(store, writer, data, fast_disk, monkeypatch):
    whole = kept_release._telling

    def telling(step, taken, model):
        made = whole(step, taken, model)
        if step.component == "publish":
            manifest = json.loads(made["release"]["manifest.json"]) | {
                "about": ABOUT, "sealed": {"metrics": {"auc": {"value": 1.0, "low": 0.9, "high": 1.0}}},
                "input": {"shape": [1, 8, 8, 1], "dtype": "float32"},
                "output": {"shape": [1, 10], "dtype": "float32"},
            }  # fmt: skip
            made["release"]["manifest.json"] = json.dumps(manifest).encode()
        return made

    monkeypatch.setattr(kept_release, "_telling", telling)
    kept = writer.run("digits-1", data)
    cache = Cache(store, fast_disk / "cache")
    return facts_of(cache, read_run(store, kept.run))


# OpenLineage ------------------------------------------------------------------------------------


def events_of(facts):
    return [json.loads(line) for line in openlineage_of(facts).splitlines()]


def test_every_run_and_step_begins_and_ends_once(facts):
    events = events_of(facts)
    by_run = {}
    for event in events:
        uuid.UUID(event["run"]["runId"])
        by_run.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert set(map(tuple, by_run.values())) == {("START", "COMPLETE")}
    assert {event["job"]["name"] for event in events} == {
        "digits", *(f"digits.{step}" for step in facts.record.steps),
    }  # fmt: skip
    assert openlineage_of(facts) == openlineage_of(facts)


def test_inputs_and_outputs_are_those_of_the_records(facts):
    made, used = {}, {}
    for event in events_of(facts):
        if event["eventType"] == "COMPLETE":
            name = event["job"]["name"].removeprefix("digits.")
            made[name] = {item["name"] for item in event["outputs"]}
            used[name] = {item["name"] for item in event["inputs"]}
    for name, step in facts.record.steps.items():
        assert made[name] == {f"artifact/{tree}" for tree in step["outputs"].values()}
    source = f"source/{facts.record.sources['data']}"
    assert used["ingest"] == {source}
    assert used["digits"] == {source}
    assert used["train"] <= made["ingest"]
    sizes = [
        item["outputFacets"]["outputStatistics"]["size"]
        for event in events_of(facts)
        for item in event["outputs"]
    ]
    assert min(sizes) >= 0
    assert max(sizes) > 0


def test_the_client_itself_takes_every_event_back(facts):
    """The client ships no schema; its classes check what the schema requires."""
    from openlineage.client.event_v2 import (
        InputDataset,
        Job,
        OutputDataset,
        Run,
        RunEvent,
        RunState,
    )

    for event in events_of(facts):
        again = RunEvent(
            eventTime=event["eventTime"],
            eventType=RunState(event["eventType"]),
            run=Run(runId=event["run"]["runId"], facets={}),
            job=Job(namespace=event["job"]["namespace"], name=event["job"]["name"]),
            inputs=[
                InputDataset(namespace=i["namespace"], name=i["name"]) for i in event["inputs"]
            ],
            outputs=[
                OutputDataset(namespace=o["namespace"], name=o["name"]) for o in event["outputs"]
            ],
            producer=event["producer"],
        )
        assert again.schemaURL == event["schemaURL"]


def test_events_fit_the_published_schema(facts):
    """Held against the files of ``spec/`` in the OpenLineage repository, where they are at hand."""
    shared = Path(os.environ.get("SLIMLINE_SHARED", "/nowhere")) / "openlineage"
    if not shared.is_dir():
        pytest.skip("SLIMLINE_SHARED holds no folder openlineage with the published schema")
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    schemas = [json.loads(path.read_bytes()) for path in sorted(shared.glob("*.json"))]
    registry = Registry().with_resources(
        [(schema["$id"], Resource.from_contents(schema)) for schema in schemas]
    )

    def fits(value, url):
        checker = Draft202012Validator.FORMAT_CHECKER
        return Draft202012Validator({"$ref": url}, registry=registry, format_checker=checker)

    facets = 0
    for event in events_of(facts):
        fits(event, event["schemaURL"]).validate(event)
        for facet in facets_in(event):
            fits(facet, facet["_schemaURL"]).validate(facet)
            facets += 1
    assert facets > 50


def facets_in(value):
    if isinstance(value, dict):
        if "_schemaURL" in value:
            yield value
        for item in value.values():
            yield from facets_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from facets_in(item)


# CycloneDX --------------------------------------------------------------------------------------


def test_the_bill_is_valid_and_says_what_the_release_is(facts):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = cyclonedx_of(facts)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.decode()) is None
    assert cyclonedx_of(facts) == text
    bill = json.loads(text)
    model = bill["metadata"]["component"]
    assert (model["type"], model["name"]) == ("machine-learning-model", "digits")
    assert model["hashes"] == [{"alg": "SHA-256", "content": facts.manifest["sha256"]}]
    assert model["supplier"]["name"] == "Ann Example"
    assert model["description"] == "telling digits apart"
    card = model["modelCard"]
    assert card["considerations"]["useCases"] == ["telling digits apart"]
    (metric,) = card["quantitativeAnalysis"]["performanceMetrics"]
    assert metric["confidenceInterval"] == {"lowerBound": "0.9", "upperBound": "1.0"}
    (data,) = [one for one in bill["components"] if one["type"] == "data"]
    assert data["licenses"] == [{"license": {"name": "CC0-1.0"}}]
    assert card["modelParameters"]["datasets"] == [{"ref": data["bom-ref"]}]


def test_neither_form_says_where_files_lay_or_who_started_the_run(facts):
    for content in (openlineage_of(facts), cyclonedx_of(facts)):
        assert facts.record.places["data"].encode() not in content
        assert b"ann@desk" not in content


# files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", SUFFIXES)
def test_a_form_is_one_file_of_the_folder(store, kept, fast_disk, tmp_path, form):
    cache = Cache(store, fast_disk / "cache")
    folder = tmp_path / "deep" / "out"
    done = export_as(form, cache, kept.record, folder)
    assert [path.name for path in folder.iterdir()] == [f"digits.{SUFFIXES[form]}"]
    assert done.path.stat().st_size == done.size_bytes
    assert export_as(form, cache, kept.record, folder).sha256 == done.sha256
    if form == "bundle":
        assert verify_bundle(done.path, Extent())[0].first_broken is None
    if form == "model-card":
        assert done.path.read_bytes() == b"# card"


def test_the_folder_of_a_release_is_refused(store, kept, fast_disk, tmp_path):
    cache = Cache(store, fast_disk / "cache")
    folder = tmp_path / "out" / "digits"
    folder.mkdir(parents=True)
    (folder / "files.json").write_text("{}")
    with pytest.raises(UserError, match="is the folder of a release") as caught:
        export_as("model-card", cache, kept.record, folder)
    assert str(folder.parent) in caught.value.fix
    assert export_as("model-card", cache, kept.record, folder.parent).path.exists()


def test_a_run_without_a_release_is_refused(store, kept, fast_disk, tmp_path):
    from dataclasses import replace

    steps = {name: step for name, step in kept.record.steps.items() if name != "publish"}
    cut = replace(kept.record, steps=steps, outcome="failed")
    with pytest.raises(UserError, match="has released nothing: it is failed"):
        export_as("bundle", Cache(store, fast_disk / "cache"), cut, tmp_path)
    assert list(tmp_path.glob("digits*")) == []


def test_a_damaged_release_is_refused_and_nothing_is_written(store, kept, fast_disk, tmp_path):
    key = entry(store, kept, "publish", "release", "manifest.json")
    overwrite(store, key, b"{}")
    folder = tmp_path / "out"
    for form in SUFFIXES:
        with pytest.raises(UserError, match=r"damaged|cannot be proved"):
            export_as(form, Cache(store, fast_disk / form), kept.record, folder)
        assert not folder.exists()


@pytest.mark.parametrize("form", ["openlineage", "cyclonedx"])
def test_without_its_package_a_form_says_what_installs_it(monkeypatch, form):
    extra.check_installed(form)
    monkeypatch.setattr(extra, "find_spec", lambda _module: None)
    with pytest.raises(UserError, match="is not installed") as caught:
        extra.check_installed(form)
    assert "pip install -c" in caught.value.fix
    assert caught.value.fix.endswith("[export]'")
    project = tomllib.loads((Path(extra.__file__).parents[3] / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    assert any("openlineage-python" in one for one in extras[extra.EXTRA])
    assert any("cyclonedx-python-lib[json-validation]" in one for one in extras[extra.EXTRA])
