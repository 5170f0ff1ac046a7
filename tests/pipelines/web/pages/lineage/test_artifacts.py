"""Files that a run made: shown in a sandbox or downloaded, asked for by digest and place."""

from __future__ import annotations

import pytest

from pipelines.stores.layout import blob_key, tree_key
from pipelines.web.pages.file_names import safe_name
from tests.pipelines.web.calling import App, links_of

HOSTILE = b"<script>alert(document.cookie)</script><form action=/triggers/x/pause method=post>"


@pytest.fixture
def kept(writer, data):
    """A run whose pages are hostile, and whose release has a large file with a hostile name."""
    return writer.run(
        "digits-1",
        data,
        instead={
            ("publish", "report"): {".": HOSTILE},
            ("publish", "release"): {
                "card.html": HOSTILE,
                "model.tflite": b"0123456789abcdef" * 200_000,
                "e\u0301\n.sh": b"rm",
                "manifest.json": b"{}",
            },
        },
    )


def output(kept, step, name):
    return kept.record.steps[step]["outputs"][name]


def test_a_page_of_a_run_is_in_a_sandbox(kept, store):
    app = App(store)
    for address in (f"/artifacts/{output(kept, 'publish', 'report')}/0",
                    f"/artifacts/{kept.release}/0"):  # fmt: skip
        answer = app.get(address)
        assert (answer.status, answer.body) == (200, HOSTILE)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'")
        assert not {"allow-scripts", "allow-same-origin", "allow-forms"} & {*policy.split()}
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_everything_else_is_a_download_under_a_safe_name(kept, store):
    app = App(store)
    names = sorted(["card.html", "model.tflite", "e\u0301\n.sh", "manifest.json"])
    place = names.index("model.tflite")
    answer = app.get(f"/artifacts/{kept.release}/{place}")
    assert answer.body == b"0123456789abcdef" * 200_000
    assert answer.headers["content-disposition"] == 'attachment; filename="model.tflite"'
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == "3200000"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    script = app.get(f"/artifacts/{kept.release}/{names.index(names[1])}")
    assert script.headers["content-disposition"] == 'attachment; filename="e__.sh"'


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b/card.md", "card.md"), ("../../etc/passwd", "passwd"), (".bashrc", "bashrc"),
        ('a";filename="b.exe', "a__filename__b.exe"), ("a\r\nset-cookie: x", "a__set-cookie__x"),
        ("...", "file"), ("", "file"), ("a\\b", "a_b"), ("x" * 300, "x" * 100),
    ],
)  # fmt: skip
def test_names_are_made_safe(path, name):
    assert safe_name(path) == name


def test_images_of_the_data_are_not_given_out(kept, store):
    app = App(store)
    for name in ("sealed", "dataset"):
        digest = output(kept, "ingest", name)
        assert app.get(f"/artifacts/{digest}").status == 200
        assert not [one for one in links_of(app.get(f"/artifacts/{digest}").html).values()
                    if one.startswith("/artifacts")]  # fmt: skip
        for place in range(3):
            assert app.get(f"/artifacts/{digest}/{place}").status in {404, 409}


def test_only_what_records_tell_of_is_found(kept, store, writer):
    app = App(store)
    unknown = writer._put({"secret.txt": b"not of any run"})
    manifest = kept.release
    for address in (
        f"/artifacts/{unknown.digest}", f"/artifacts/{unknown.digest}/0", f"/artifacts/{'0' * 64}",
        f"/artifacts/{manifest}/4", f"/artifacts/{manifest}/-1", f"/artifacts/{manifest}/manifest.json",
        f"/artifacts/{manifest}/0x0", f"/artifacts/{manifest[:12]}/0", f"/artifacts/{manifest.upper()}",
        f"/artifacts/{manifest}/99999999999999999999", f"/artifacts/{manifest}/%D9%A1",
    ):  # fmt: skip
        assert app.get(address).status == 404, address


def test_what_is_lost_is_said(kept, store):
    app = App(store)
    entry = app.service.cache.tree(kept.release).entries[0]
    key = blob_key(entry.sha256)
    store.delete_if_match(key, store.stat(key).version)
    answer = app.get(f"/artifacts/{kept.release}/0")
    assert answer.status == 409
    assert "missing or damaged" in answer.text


def test_a_damaged_download_never_arrives_whole(kept, store):
    app = App(store)
    tree = app.service.cache.tree(kept.release)
    place = [entry.path for entry in tree.entries].index("model.tflite")
    key = blob_key(tree.entries[place].sha256)
    damaged = b"x" * tree.entries[place].size_bytes
    store.replace_if_match(key, damaged, store.stat(key).version)
    answer = app.get(f"/artifacts/{kept.release}/{place}")
    assert len(answer.body) < int(answer.headers["content-length"])


def test_an_artifact_lists_its_files(kept, store):
    page = App(store).get(f"/artifacts/{kept.release}").html
    links = links_of(page)
    assert links["card.html"] == f"/artifacts/{kept.release}/0"
    assert links["publish"] == "/runs/digits-1/steps/publish"
    assert store.stat(tree_key(kept.release))
