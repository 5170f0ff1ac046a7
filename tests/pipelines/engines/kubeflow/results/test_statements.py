"""Statements: found from run and task alone, whole or not, and of earlier layouts of a root."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.contract.closure import code_digest
from components.contract.digests import canonical_json, digest
from components.contract.errors import UserError
from components.contract.tree import tree_of
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion
from pipelines.engines.kubeflow.ir.result_layout import layout_of_step
from pipelines.engines.kubeflow.results.statements import Statements
from pipelines.runs.graph import Graph, Ref, Step
from pipelines.stores.directory import DirectoryStore
from tests.servers.kfp import recordings

PAGE = Step("search-page", "search_page", {"front": Ref("search", "front")}, {}, 1.0, 1.0)
SEARCH = Step(
    "search", "search", {"dataset": None, "teacher": None, "costs": ()}, {"seed": 1}, 1.0, 1.0
)
MEASURED = Step("evaluate-a", "evaluate", {"model": None, "dataset": None}, {}, 1.0, 1.0)
GRAPH = Graph("faces", (SEARCH, PAGE, MEASURED), {})
CODE = {"components/search_page.py": "0" * 64}


def version(graph: Graph = GRAPH, **fields: Any) -> PipelineVersion:
    images: dict[Any, str] = {}
    return PipelineVersion("n", "c", graph, {}, {}, images, images, **fields)


class Root:
    """A pipeline root in a folder, and what steps leave there."""

    def __init__(self, folder: Path, graph: Graph = GRAPH) -> None:
        self.folder = folder
        self.graph = graph
        self.store = DirectoryStore(folder)

    def statements(self, run: str, **fields: Any) -> Statements:
        return Statements(self.store, version(self.graph, **fields), run)

    def lay(
        self,
        run: str,
        step: Step,
        files: Mapping[str, str],
        *,
        salt: str = "salt",
        earlier: bool = False,
        **stated: Any,
    ) -> Path:
        """Lay the result of a step, its files by ``output/path`` or ``output``."""
        folder = self.folder / self.graph.name / run / step.name / salt
        layout = layout_of_step(step)
        outputs: dict[str, Any] = {}
        for port in step.interface.outputs:
            own = earlier or port.name in layout.beside
            place = folder / port.name if own else folder / layout.name / port.name
            for name, text in files.items():
                if name.partition("/")[0] == port.name:
                    path = place / name.partition("/")[2] if "/" in name else place
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text)
            if earlier and not place.exists():
                continue  # that version of the component had no such output
            tree = tree_of(place)
            outputs[port.name] = {
                "digest": tree.digest, "size_bytes": tree.size_bytes, "files": len(tree.entries),
                "entries": tree.to_json()["entries"],
            }  # fmt: skip
            if not earlier:
                outputs[port.name]["uri"] = str(place)
        statement = {
            "component": step.component, "code": digest("code", CODE), "inputs": {},
            "parameters": dict(step.parameters), "outputs": outputs, "started": "2026-01-01T00:00:00",
            "wall_s": 1.5, **stated,
        }  # fmt: skip
        path = folder / "statement" if earlier else folder / layout.name / "statement.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(canonical_json(statement))
        return path

    def read_by(self, path: Path, port: str, output: str) -> dict[str, Any]:
        """Return the input of a step that reads an output of a statement's step."""
        stated = json.loads(path.read_bytes())["outputs"][output]
        place = stated.get("uri", str(path.parent / output))
        return {port: {"digest": stated["digest"], "uri": place}}


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "root")


FRONT = {"front/front.json": "{}", "front/networks/a.json": "1"}
EVALUATION = {"report/evaluation.json": "{}", "metrics": "{}", "curve": "{}"}


@pytest.mark.parametrize("earlier", [False, True])
def test_a_result_is_found_from_run_and_task_alone(root: Root, earlier: bool) -> None:
    assert root.statements("run").find(MEASURED) is None
    root.lay("run", MEASURED, EVALUATION, earlier=earlier)
    root.lay("another", MEASURED, EVALUATION, earlier=earlier, salt="other")
    found = root.statements("run").find(MEASURED)
    assert found
    assert found.folder == "faces/run/evaluate-a/salt"
    assert found.executed_by == ("run", "evaluate-a")
    assert found.finished == "2026-01-01T00:00:01.500"
    inside = "" if earlier else "metrics/"
    assert found.path_of("report") == f"{found.folder}/{inside}report"
    assert found.artifact_of("report") == f"{found.folder}/{'report' if earlier else 'metrics'}"
    assert list(found.files("report") or ()) == [f"{found.path_of('report')}/evaluation.json"]
    assert list(found.files("metrics") or ()) == [found.path_of("metrics")]
    for output in ("report", "metrics", "curve"):
        at = root.folder / found.path_of(output)
        assert tree_of(at).digest == found.statement["outputs"][output]["digest"]


@pytest.mark.parametrize("earlier", [False, True])
def test_a_result_is_whole_when_every_file_that_it_states_is_listed(
    root: Root, earlier: bool
) -> None:
    assert not root.statements("run").whole(SEARCH)
    place = root.lay("run", SEARCH, FRONT, earlier=earlier)
    assert root.statements("run").whole(SEARCH)
    for name in ("front/front.json", "front/networks/a.json"):
        path = place.parent / name
        text = path.read_text()
        path.unlink()
        assert not root.statements("run").whole(SEARCH), name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert root.statements("run").whole(SEARCH)
    place.unlink()
    assert not root.statements("run").whole(SEARCH)


def test_files_that_are_too_many_to_be_stated_are_counted(root: Root) -> None:
    place = root.lay("run", SEARCH, FRONT)
    statement = json.loads(place.read_bytes())
    del statement["outputs"]["front"]["entries"]
    place.write_bytes(canonical_json(statement))
    assert root.statements("run").whole(SEARCH)
    (place.parent / "front/networks/a.json").unlink()
    assert not root.statements("run").whole(SEARCH)


def test_pages_lie_beside_the_result_and_count(root: Root) -> None:
    place = root.lay("run", PAGE, {"page": "<html>"})
    statements = root.statements("run")
    found = statements.find(PAGE)
    assert found
    assert found.path_of("page") == found.artifact_of("page") == f"{found.folder}/page"
    assert statements.whole(PAGE)
    (place.parents[1] / "page").unlink()
    assert not statements.whole(PAGE)


def test_of_several_executions_the_one_that_was_begun_last_counts(root: Root) -> None:
    for salt, hour in (("a", 2), ("b", 3), ("c", 1)):
        root.lay("run", SEARCH, FRONT, salt=salt, started=f"2026-01-01T0{hour}:00:00")
    found = root.statements("run").find(SEARCH)
    assert found
    assert found.folder.endswith("/b")


def test_somebody_may_know_where_results_lie(root: Root) -> None:
    root.lay("run", SEARCH, FRONT)
    (root.folder / "12345").mkdir()
    (root.folder / "faces/run/search/salt").rename(root.folder / "12345/search_1")
    place = root.folder / "12345/search_1/report/statement.json"
    text = place.read_text()
    place.write_text(text.replace("faces/run/search/salt", "12345/search_1"))
    folders = {"search": "12345/search_1"}
    statements = Statements(root.store, version(), "run", folders.get)
    assert statements.whole(SEARCH)
    page = root.lay("run", PAGE, {"page": ""}, inputs=root.read_by(place, "front", "front"))
    assert page
    assert statements.follow() == [MEASURED]


BROKEN = [
    ("nothing", b"", "Invalid JSON"),
    ("a list", b"[]", "Input should be an object"),
    ("no JSON", b"{", "Invalid JSON"),
]


@pytest.mark.parametrize(
    ("text", "said"), [item[1:] for item in BROKEN], ids=[i[0] for i in BROKEN]
)
def test_what_is_no_statement_is_said_and_not_raised(root: Root, text: bytes, said: str) -> None:
    root.lay("run", SEARCH, FRONT).write_bytes(text)
    with pytest.raises(UserError, match="search of the run run cannot be imported") as caught:
        root.statements("run").find(SEARCH)
    assert said in caught.value.what
    assert "cache: false" in caught.value.fix


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wall_s": None}, "wall_s: Input should be a valid number"),
        ({"started": "yesterday"}, "Invalid isoformat string: 'yesterday'"),
        ({"component": "train"}, "it is of the component train"),
        ({"outputs": {}}, "it does not tell of the output front"),
        ({"outputs": {"front": {"digest": "x"}}}, "outputs.front.digest"),
        ({"inputs": {"dataset": {"uri": 1}}}, "inputs.dataset"),
    ],
)
def test_a_statement_that_lacks_something_is_said_and_not_raised(
    root: Root, change: Mapping[str, Any], said: str
) -> None:
    place = root.lay("run", SEARCH, FRONT, code=code_digest("search"))
    statement = json.loads(place.read_bytes())
    place.write_bytes(canonical_json({**statement, **change}))
    with pytest.raises(UserError) as caught:
        root.statements("run").find(SEARCH)
    assert "report/statement.json is no statement of search: " in caught.value.what
    assert said in caught.value.what
    for name in change:  # a key that is not there at all
        place.write_bytes(canonical_json({k: v for k, v in statement.items() if k != name}))
        with pytest.raises(UserError, match=f"{name}: Field required"):
            root.statements("run").find(SEARCH)
    place.write_bytes(canonical_json(statement))  # the fix: the configuration again
    assert root.statements("run").find(SEARCH)


def test_an_output_that_is_said_to_lie_elsewhere_is_not_believed(root: Root) -> None:
    place = root.lay("run", SEARCH, FRONT)
    statement = json.loads(place.read_bytes())
    folder = place.parents[1]
    lies = ("/etc/front", f"{place.parent}/../../x/front", f"{place.parent}/secrets")
    for uri in (*lies, f"{place.parent}/my-front", f"{folder}/../front", f"{folder}/x/y/front"):
        statement["outputs"]["front"]["uri"] = uri
        place.write_bytes(canonical_json(statement))
        with pytest.raises(UserError, match=r"outputs\.front\.uri"):
            root.statements("run").find(SEARCH)


def test_what_an_output_was_read_from_has_to_have_made_it(root: Root) -> None:
    front = root.lay("run", SEARCH, FRONT)
    root.lay("run", PAGE, {"page": ""}, inputs=root.read_by(front, "front", "front"))
    statement = json.loads(front.read_bytes())
    front.write_bytes(canonical_json({**statement, "outputs": {}}))
    with pytest.raises(UserError, match="search does not say that it made front"):
        root.statements("run").follow()


# cached steps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("earlier", [False, True])
def test_a_cached_step_is_found_by_the_one_that_read_it(root: Root, earlier: bool) -> None:
    front = root.lay("first", SEARCH, FRONT, earlier=earlier)
    root.lay("second", PAGE, {"page": ""}, inputs=root.read_by(front, "front", "front"))
    statements = root.statements("second")
    assert statements.find(SEARCH) is None
    statements.trace(PAGE)
    found = statements.find(SEARCH)
    assert found
    assert found.executed_by == ("first", "search")
    assert not root.statements("second").whole(SEARCH), "of its own run there is none"


def test_a_cached_step_without_readers_is_found_in_the_run_that_made_it(root: Root) -> None:
    documents = [("code", CODE)]
    front = root.lay("first", SEARCH, FRONT)
    read = root.read_by(front, "front", "front")
    root.lay("first", PAGE, {"page": ""}, inputs=read)
    root.lay("older", PAGE, {"page": ""}, inputs=read, started="2025-01-01T00:00:00")
    for run in ("first", "older"):  # another one must not be taken for it
        other = {"front": {**read["front"], "digest": "f" * 64}}
        late = {"started": "2027-01-01T00:00:00"}
        root.lay(run, PAGE, {"page": ""}, inputs=other, salt="input", **late)
        root.lay(run, PAGE, {"page": ""}, inputs=read, salt="code", code="1", **late)
        root.lay(run, PAGE, {"page": ""}, inputs=read, salt="value", parameters={"x": 1}, **late)
        broken = root.lay(run, PAGE, {"page": ""}, inputs=read, salt="broken", **late)
        broken.write_text("{")
    root.lay("second", SEARCH, FRONT, salt="mine")
    root.lay("second", MEASURED, EVALUATION)
    statements = root.statements("second", documents=documents)
    assert statements.follow() == [PAGE], "of a run that goes on nothing is known yet"
    assert statements.follow(complete=True) == []
    found = statements.find(PAGE)
    assert found
    assert found.executed_by == ("first", "search-page")
    assert found.folder.endswith("/salt")


# recordings of real servers ---------------------------------------------------------------------


@pytest.mark.parametrize("number", ["2.5.0", "2.14.0", "2.16.1", "2.17.0"])
def test_roots_that_earlier_versions_left_on_real_servers_are_read(
    number: str, tmp_path: Path
) -> None:
    """The names are recorded; what the files hold, and the statements', is made here."""
    recorded = recordings.document(number, "bucket")["succeeds"]
    config = load(recordings.needed() / "configs" / "succeeds.yaml")
    root = Root(tmp_path / "root", graph_of(config))
    steps = {step.name: step for step in root.graph.steps}
    names = [name.removeprefix("root/succeeds/") for name, _ in recorded["objects"]]
    files: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        run, task, salt, place = name.split("/", 3)
        assert (run, task in steps) == (recorded["run"], True)
        files.setdefault((task, salt), {})[place] = name
    for (task, salt), found in files.items():
        root.lay(recorded["run"], steps[task], found, salt=salt, earlier=True)
        for place in found:
            if place.startswith("executor-logs"):
                (root.folder / "succeeds" / recorded["run"] / task / salt / place).touch()
    laid = {str(path.relative_to(root.folder / "succeeds")) for path in _files(root.folder)}
    assert laid == {name for name in names if not name.endswith("/output_metadata.json")}
    statements = root.statements(recorded["run"])
    for (task, salt), found in files.items():
        step = steps[task]
        one = statements.find(step)
        assert one
        assert one.folder == f"succeeds/{recorded['run']}/{task}/{salt}"
        assert statements.whole(step)
        for port in step.interface.outputs:
            if port.name not in one.places:
                assert (step.component, port.name) == ("publish", "report"), "it came later"
                continue
            listed = {f"succeeds/{found[place]}" for place in found if _is_of(place, port.name)}
            assert set(one.files(port.name) or ()) == listed


def _files(folder: Path) -> list[Path]:
    return [path for path in (folder / "succeeds").rglob("*") if path.is_file()]


def _is_of(place: str, output: str) -> bool:
    return place == output or place.startswith(f"{output}/")
