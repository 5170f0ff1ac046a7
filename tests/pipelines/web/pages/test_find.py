"""Whatever somebody types leads to the page of what it names, and to no file of the server."""

import pytest

from tests.data.histories import History, Picture, sha_of
from tests.pipelines.web.calling import App, links_of, text_of


@pytest.fixture
def history(store):
    made = History(store)
    made.run([Picture(f"anna/{n}.png", "anna", n) for n in range(5)])
    made.run([Picture(f"anna/{n}.png", "anna", n) for n in range(4)])
    return made


@pytest.fixture
def app(store, history):
    assert history.runs
    return App(store)


def found(app, what):
    answer = app.get(f"/find?what={what}")
    return answer.headers["location"] if answer.status == 303 else answer


def test_runs_steps_releases_and_people_have_their_pages(app, history):
    run, release = history.releases[0]
    assert found(app, run) == f"/runs/{run}"
    assert found(app, f"{run}/ingest") == f"/runs/{run}/steps/ingest"
    assert found(app, f"faces@{run}") == "/releases/faces"
    assert found(app, "faces") == "/releases/faces"
    assert found(app, release) == "/releases/faces"
    assert found(app, "anna") == "/lineage/affected?identity=anna"
    assert found(app, "") == "/lineage"


def test_digests_lead_to_data_to_lineage_or_to_what_is_affected(app, history):
    with app.service.index() as index:
        (source,) = index.one("SELECT digest FROM source ORDER BY id")
        (dataset,) = index.one("SELECT digest FROM artifact WHERE kind = 'Dataset'")
        (model,) = index.one("SELECT digest FROM artifact WHERE kind = 'Model'")
    assert found(app, source.hex()) == f"/data/{source.hex()}"
    assert found(app, dataset.hex()[:12]) == f"/data/{dataset.hex()}"
    assert found(app, f"sha256:{model.hex()}") == f"/lineage/{model.hex()}"
    image = Picture("anna/0.png", "anna", 0).sha
    assert found(app, image[:16]) == f"/lineage/affected?sha={image}"
    unknown = sha_of("nothing")
    assert found(app, unknown) == f"/lineage/affected?sha={unknown}"


def test_what_begins_several_names_lists_them(app, history):
    answer = found(app, "faces-")
    assert answer.status == 200
    assert set(history.runs) <= set(links_of(answer.html))


def test_what_names_nothing_says_what_to_do(app):
    answer = found(app, "nosuch")
    assert answer.status == 404
    assert "sha256sum FILE" in text_of(answer.html)


@pytest.mark.parametrize(
    "what", ["/etc/passwd", "../../etc/passwd", "%00", "%FF%FE", "faces@..%2F..", "..", "a" * 300]
)
def test_a_path_is_no_name_and_no_file_of_the_server_is_looked_at(app, what, tmp_path):
    answer = found(app, what)
    assert answer.status == 404
    (tmp_path / "photo.png").write_bytes(b"here")
    assert found(app, str(tmp_path / "photo.png")).status == 404


def test_markup_is_shown_as_it_was_typed(app):
    answer = found(app, "%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AEevil")
    assert "<script>alert" not in answer.text
    assert "\u202e" not in answer.text.partition("</header>")[2]
    assert r"\u202eevil" in answer.text
