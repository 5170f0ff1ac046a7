"""Lineage, affected releases and proofs, as pages of stores with a history."""

import pytest

from pipelines.stores.layout import blob_key
from pipelines.web.settings import ServeSettings
from tests.data.histories import History, Picture
from tests.data.traced_runs import RunWriter
from tests.pipelines.web.calling import READER, App, forms_of, links_of, text_of, with_class

SOURCE = "50" * 32
HOSTILE = "<b onmouseover=alert(1)>\u202egnp.exe"


@pytest.fixture
def traced(store):
    """A store with a run whose winner was compared with others."""
    run = RunWriter(store, "faces-1", sources={"data": SOURCE})
    data = run.step("ingest", {"source": SOURCE}, {"dataset": {"d": b""}, "sealed": {"s": b""}})
    train = run.step("train", {"dataset": data["dataset"]}, {"model": {"w": b""}})
    lite = run.step(
        "convert-small", {"model": train["model"]}, {"lite": {"model.tflite": b"small"}}, "convert"
    )
    run.step(
        "publish", {"winner": lite["lite"], "decision": train["model"]},
        {"release": {"model.tflite": b"small", "manifest.json": b"{}"}},
    )  # fmt: skip
    run.end()
    return run


@pytest.fixture
def history(store):
    made = History(store)
    made.run([Picture(f"anna/{n}.png", "anna", n) for n in range(5)])
    made.promote(*made.releases[0])
    return made


def test_the_start_offers_a_file_a_person_and_releases(store, history):
    page = App(store).get("/lineage").html
    assert [form.get("action") for form in page.iter("form")][1:3] == ["/find", "/lineage/affected"]
    assert "sha256sum FILE" in text_of(page)
    run, release = history.releases[0]
    assert links_of(page)["faces"] == f"/lineage/{release}"
    assert f"/verify/faces%40{run}" in links_of(page).values()


def test_an_empty_store_says_what_to_do_first(store):
    page = App(store).get("/lineage").html
    assert "slimline run CONFIG" in text_of(page)
    assert "slimline run CONFIG" in text_of(App(store).get("/data").html)


def test_one_step_up_is_listed_and_drawn_with_links(store, traced):
    app = App(store)
    page = app.get("/lineage/faces@latest").html
    assert any(svg.get("role") == "group" for svg in page.iter("svg"))
    steps = links_of(page)
    assert steps["publish"] == "/runs/faces-1/steps/publish"
    assert "convert-small" not in steps, "that is two steps away"
    deeper = app.get("/lineage/faces@latest?way=up&depth=9").html
    assert "/runs/faces-1/steps/ingest" in links_of(deeper).values()
    drawn = {link.get("href") for svg in deeper.iter("svg") for link in svg.iter("a")}
    assert "/lineage/faces-1/train" in drawn
    assert "Used for" not in [text_of(one) for one in deeper.iter("h2")]
    assert traced


def test_a_step_of_a_run_has_both_directions(store, traced):
    page = App(store).get("/lineage/faces-1/train").html
    assert {"Made of", "Used for"} <= {text_of(one) for one in page.iter("h2")}
    assert links_of(page)["The step"] == "/runs/faces-1/steps/train"
    assert traced


@pytest.mark.parametrize("what", ["nosuch", "..%2F..%2Fetc", "faces-1/nosuch", "a1", "%00"])
def test_what_there_is_not_is_said(store, traced, what):
    assert App(store).get(f"/lineage/{what}").status in (400, 404)
    assert App(store).get(f"/verify/{what}").status in (400, 404)
    assert traced


def test_depths_and_ways_that_nobody_offers_are_the_usual_ones(store, traced):
    app = App(store)
    usual = app.get("/lineage/faces-1/train").text
    assert app.get("/lineage/faces-1/train?depth=999999&way=%3Cx%3E").status == 200
    assert "train" in usual
    assert traced


# affected ---------------------------------------------------------------------------------------


def test_a_champion_that_was_made_with_a_file_is_the_headline(store, history):
    app = App(store)
    image = Picture("anna/0.png", "anna", 0).sha
    page = app.get(f"/lineage/affected?sha={image}").html
    assert text_of(page.find(".//h1")) == "A champion was made with it"
    run, release = history.releases[0]
    assert f"/lineage/{release}" in links_of(page).values()
    assert "train (1)" in text_of(page)
    assert "crops" in text_of(page), "what cannot be found so is said"
    assert run in text_of(page)


def test_a_person_is_found_and_nobody_else_is(store, history):
    app = App(store)
    assert "champion" in text_of(app.get("/lineage/affected?identity=ANNA").html.find(".//h1"))
    nobody = app.get("/lineage/affected?identity=nobody").html
    assert text_of(nobody.find(".//h1")) == "No release was made with it"
    assert history.runs


def test_no_sha256_is_refused_and_nothing_asked_leads_to_the_start(store, history):
    app = App(store)
    assert app.get("/lineage/affected?sha=1234").status == 404
    assert app.get("/lineage/affected").headers["location"] == "/lineage"
    assert history.runs


def test_hostile_names_are_inert_on_every_page(store):
    history = History(store)
    history.run([Picture(f"{HOSTILE}/{n}.png", HOSTILE, n) for n in range(5)])
    app = App(store)
    with app.service.index() as index:
        digests = [
            digest.hex()
            for (digest,) in index.execute(
                "SELECT digest FROM artifact WHERE kind IN ('Dataset', 'Source')"
            )
        ]
    image = Picture(f"{HOSTILE}/0.png", HOSTILE, 0).sha
    paths = [f"/lineage/affected?sha={image}", "/lineage", "/data", f"/lineage/{image}"]
    paths += [f"/data/{digest}" for digest in digests]
    paths += [f"/data/{digests[0]}/images"]
    shown = 0
    for path in paths:
        page = app.get(path)
        assert page.status == 200, path
        assert "<b onmouseover" not in page.text, path
        assert "\u202e" not in page.text, path
        shown += r"\u202egnp.exe" in page.text
    assert shown >= 4


# proofs -----------------------------------------------------------------------------------------


@pytest.fixture
def kept(writer, data):
    return writer.run("digits-1", data)


def waited(app, what, *, deep):
    with app.service.index() as index:
        from pipelines.lineage.naming import resolve

        named = resolve(app.service.store, index, what, files=False)
    return app.service.proofs.wait(named, deep=deep, at_most_s=60)


def test_the_quick_proof_is_made_by_asking_and_kept(store, kept):
    app = App(store)
    page = app.get(f"/verify/{kept.release}").html
    assert "links are proved" in text_of(page)
    first = waited(app, kept.release, deep=False)
    app.get(f"/verify/{kept.release}")
    assert waited(app, kept.release, deep=False) is first, "nothing was proved again"


def test_a_flipped_byte_breaks_the_chain_and_is_named(store, kept):
    from hashlib import sha256

    key = blob_key(sha256(kept.model).hexdigest())
    stat = store.stat(key)
    assert store.replace_if_match(key, b"other", stat.version)
    page = App(store).get(f"/verify/{kept.release}").html
    assert "The chain breaks first at release digits" in text_of(page)
    assert with_class(page, "failed")
    assert "digits/digits-1" in text_of(page), "the releases that stand on it"


def test_the_deep_proof_is_made_behind_the_pages_and_is_recorded(store, kept):
    from pipelines.runs.actions import list_actions

    app = App(store)
    where = f"/verify/{kept.run}"
    assert forms_of(app.get(where).html)[where]["extent"] in ("deep", "quick")
    answer = app.post(where, {"extent": "deep"})
    assert (answer.status, answer.headers["location"]) == (303, where)
    proof = waited(app, kept.run, deep=True)
    assert proof.chain
    assert any(link.name.startswith("files of") for link in proof.chain.links), "the user's files"
    assert "Every file" in text_of(app.get(where).html)
    assert [action.action for action in list_actions(store, 1)] == ["verify"]


def test_readers_and_read_only_services_start_no_deep_proof(store, kept):
    app = App(store)
    where = f"/verify/{kept.run}"
    assert app.post(where, {"extent": "deep"}, viewer=READER).status == 403
    assert not forms_of(app.get(where, viewer=READER).html)
    closed = App(store, ServeSettings(store=store.uri, read_only=True))
    assert closed.post(where, {"extent": "deep"}).status in (403, 404, 405)
    assert not forms_of(closed.get(where).html)
