"""``slimline lineage``: the tree, the document, the picture, and what it refuses."""

import json
import xml.etree.ElementTree as ET

import pytest

from pipelines.cli.lineage_text import lines_of
from pipelines.cli.main import main
from pipelines.lineage.tracing.trace import Trace, TraceEdge, TraceNode
from pipelines.stores.opening import open_store
from pipelines.web.lineage_picture import MOST, picture_of
from tests.data.traced_runs import RunWriter

SOURCE = "50" * 32


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with a run whose winner was compared with two others."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    made = open_store(str(tmp_path / "slimline-store"))
    run = RunWriter(made, "faces-1", sources={"data": SOURCE})
    data = run.step(
        "ingest", {"source": SOURCE}, {"dataset": {"d": b""}, "sealed": {"s": b""}}
    )  # fmt: skip
    train = run.step("train", {"dataset": data["dataset"]}, {"model": {"w": b""}})
    lites = [
        run.step(f"convert-{name}", {"model": train["model"]},
                 {"lite": {"model.tflite": name.encode()}}, "convert")["lite"]
        for name in ("teacher", "small", "smaller")
    ]  # fmt: skip
    chosen = run.step("select", {"models": lites}, {"decision": {"decision.json": b"{}"}})
    run.step(
        "publish", {"winner": lites[2], "decision": chosen["decision"]},
        {"release": {"model.tflite": b"smaller", "manifest.json": b"{}"}},
    )  # fmt: skip
    run.end()
    (tmp_path / "shipped.tflite").write_bytes(b"smaller")
    return made


def lines(capsys, *arguments):
    assert main(["lineage", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_tree_tells_everything_once_and_names_repeats(store, capsys):
    told = lines(capsys, "faces@latest", "--up", "--depth", "9")
    assert store
    assert told[1].startswith("release ")
    assert told[1].endswith("published by faces-1")
    tree = told[told.index(next(line for line in told if line.startswith("made of"))) + 1 :]
    assert tree[0].startswith("  Release ")
    assert sum("by convert-small" in line and "shown elsewhere" not in line for line in tree) == 2
    assert sum("by ingest" in line for line in tree) == 1
    repeated = [line for line in tree if line.endswith("(shown elsewhere)")]
    assert repeated
    assert all("by " not in line for line in repeated)
    assert not any(line.startswith("note: it ends") for line in told)


def test_the_depth_is_met_and_said(store, capsys):
    told = lines(capsys, "faces@latest", "--up", "--depth", "1")
    assert any("more step" in line for line in told)
    assert told[-1].endswith("that are told with --depth 2")
    further = lines(capsys, "faces@latest", "--up", "--depth", "2")
    assert len(further) > len(told)


def test_a_shipped_file_leads_up_and_down(store, capsys):
    told = lines(capsys, "shipped.tflite", "--depth", "9")
    assert told[0].startswith("file shipped.tflite (")
    up = next(index for index, line in enumerate(told) if line.startswith("made of"))
    down = next(index for index, line in enumerate(told) if line.startswith("used for"))
    assert any("by convert-smaller" in line for line in told[up:down])
    assert any("publish: release Release" in line for line in told[down:])
    assert not any("publish" in line for line in told[up:down])


def test_the_document_has_the_whole_graph(store, capsys):
    document = json.loads("\n".join(lines(capsys, "faces-1", "--depth", "9", "--json")))
    ids = {node["id"] for node in document["nodes"]}
    assert {edge[end] for edge in document["edges"] for end in ("start", "end")} <= ids
    assert set(document["origins"]) <= ids
    assert document["releases"][0]["run"] == "faces-1"


def test_the_picture_shows_steps_files_and_releases(store, capsys, tmp_path):
    lines(capsys, "shipped.tflite", "--svg", "picture.svg", "--depth", "9")
    drawn = ET.fromstring((tmp_path / "picture.svg").read_text())
    texts = [item.text for item in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"ingest", "train", "convert", "publish", "Release", "Source", "file"} <= set(texts)
    assert [one.name for one in tmp_path.iterdir() if "picture" in one.name] == ["picture.svg"]


def chain(count):
    """A trace of steps in a row; the first is the origin, and the last gives what it was given."""
    nodes = [TraceNode(f"step {n}", "step", f"train-{n}", run="r", component="train")
             for n in range(count)]  # fmt: skip
    edges = [TraceEdge(f"step {n}", f"step {n + 1}", "model") for n in range(count - 1)]
    edges.append(TraceEdge(f"step {count - 1}", f"step {count - 2}", "model"))
    return Trace("x", ["step 0"], nodes, edges, [], [], 3)


def test_what_is_too_much_for_a_picture_is_folded_and_counted():
    texts = [
        item.text
        for item in ET.fromstring(picture_of(chain(MOST + 312))).iter(
            "{http://www.w3.org/2000/svg}text"
        )
    ]
    assert f"+{312 + 2}" in texts
    assert texts.count("train") == MOST - 2
    whole = str(picture_of(chain(MOST)))
    assert "not drawn" not in whole
    assert whole.count(">train<") == MOST


def test_names_from_outside_stay_text():
    node = TraceNode("file a", "file", "<b>\x1b[2J", digest="a" * 64)
    found = Trace("<script>", ["file a"], [node], [], [], [], 3)
    assert "<script>" not in str(picture_of(found))
    assert list(lines_of(found, ("up",)))


FAULTS = {
    ("faces@latest", "--depth", "0"): ("at least one step", ("faces@latest", "--depth", "1")),
    ("faces-2",): ("no such run", ("faces-1",)),
    ("faces@latest", "--svg", "nowhere/x.svg"): (
        "nowhere", ("faces@latest", "--svg", "x.svg"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("given", FAULTS)
def test_faults_and_their_fixes(store, given, capsys, tmp_path):
    what, instead = FAULTS[given]
    before = sorted(tmp_path.rglob("*.svg"))
    assert main(["lineage", *given]) == 2
    told = capsys.readouterr()
    assert what in told.err
    assert "fix: " in told.err
    assert sorted(tmp_path.rglob("*.svg")) == before
    assert main(["lineage", *instead]) == 0


def test_affected_leads_from_a_file_that_a_step_made_to_its_lineage(store, capsys):
    assert main(["affected", "shipped.tflite"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == "no release was made with shipped.tflite"
    assert "slimline lineage shipped.tflite" in told.err
    assert "give the file itself" not in told.err  # it was given
    assert store
    assert lines(capsys, "shipped.tflite")[0]  # what it names works
