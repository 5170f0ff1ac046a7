"""Snapshots, datasets and their images, as pages; no sealed and no erased image is ever shown."""

import io

import numpy as np
import pytest
from PIL import Image

from pipelines.lineage.snapshots.images import OPEN_SPLITS
from pipelines.retention.erasing import erase, plan
from pipelines.retention.holding import DataSubject
from pipelines.runs.journal import announce
from pipelines.runs.removal.erasures import put_erasure
from tests.data.histories import History, Picture
from tests.pipelines.web.calling import App, links_of, text_of, with_class


def pictures(count, label="anna"):
    return [Picture(f"{label}/{n:02}.png", label, n) for n in range(count)]


@pytest.fixture
def history(store):
    made = History(store, pictured=True)
    made.run(pictures(10))
    made.run([*pictures(12), Picture("ben/torn.png", "ben", 77, sound=False)])
    return made


@pytest.fixture
def app(store, history):
    assert history.runs
    return App(store)


def digests(app, kind="Source", port=None):
    """Digests in the order in which runs made or read them."""
    sql = "SELECT a.digest FROM artifact a LEFT JOIN made m ON m.artifact = a.id WHERE a.kind = ?"
    with app.service.index() as index:
        rows = index.execute(
            f"{sql} AND (? IS NULL OR m.port = ?) GROUP BY a.id ORDER BY a.id", (kind, port, port)
        )
        return [digest.hex() for (digest,) in rows]


def dataset(app):
    """The open Dataset with the most images."""
    with app.service.index() as index:
        return index.one(
            "SELECT a.digest FROM images i JOIN artifact a ON a.id = i.dataset JOIN made m"
            " ON m.artifact = a.id AND m.port = 'dataset' GROUP BY a.id ORDER BY sum(n) DESC"
        )[0].hex()


def test_every_snapshot_is_listed_with_its_images_and_runs(app, history):
    page = app.get("/data").html
    rows = page.findall(".//tbody/tr")
    assert len(rows) == 2
    latest, first = (text_of(row) for row in rows)
    assert "13" in latest
    assert "1 quarantined" in latest
    assert history.runs[1] in latest
    assert "the first" in first
    old, new = links_of(rows[1]), links_of(rows[0])
    before, after = (next(iter(links.values())).rpartition("/")[2] for links in (old, new))
    assert new["what changed"] == f"/data/{before}/against/{after}"


def test_a_snapshot_tells_its_datasets_and_who_read_it(app, history):
    source = next(
        link.rpartition("/")[2] for link in links_of(app.get("/data").html).values()
        if link.startswith("/data/") and link.count("/") == 2 and link != "/data/compare"
    )  # fmt: skip
    page = app.get(f"/data/{source}").html
    assert history.runs[1] in links_of(page)
    assert "sealed: never shown" in text_of(page)
    named = [text_of(one) for one in page.iter("h2")]
    assert "Datasets made of it" in named
    short = app.get(f"/data/{source[:10]}")
    assert short.headers["location"] == f"/data/{source}"


def test_a_dataset_tells_its_classes_and_what_is_left_out_with_the_reason(app):
    page = app.get(f"/data/{dataset(app)}").html
    told = text_of(page)
    assert "13 images" in told
    assert "ben/torn.png" in told
    assert "or torn" in told
    assert links_of(page)["anna"].endswith("/images?label=anna")


def thumbnails(app, path):
    """Addresses of the pictures on a page, by the text beside them."""
    return [
        one.get("src") for one in app.get(path).html.iter("img") if "thumb" in one.get("class", "")
    ]


def test_pictures_are_served_by_number_and_show_the_right_image(app):
    found = thumbnails(app, f"/data/{dataset(app)}/images?split=train")
    assert found
    shows = set()
    for address in found:
        answer = app.get(address)
        assert answer.status == 200
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == "no-store"
        shows.add(int(np.asarray(Image.open(io.BytesIO(answer.body)))[0, 0, 0]))
    with app.service.index() as index:
        places = {
            int(name[-6:-4])
            for (name,) in index.execute("SELECT name FROM fate WHERE split = 'train'")
        }
    assert shows == places, "from both files of the split"


def test_no_page_and_no_number_shows_a_sealed_image(app):
    sealed = [f"anna/{n:02}.png" for n in (4, 9)]
    page = app.get(f"/data/{dataset(app)}/images?split=sealed").html
    assert {text_of(one) for one in page.iter("strong")} == set(sealed)
    assert not list(page.iter("img"))[1:], "the mark of the service is the only picture"
    every = digests(app, "Dataset", None)
    for digest in every:
        for number in range(60):
            answer = app.get(f"/data/{digest}/thumbnails/{number}")
            if answer.status == 200:
                shown = int(np.asarray(Image.open(io.BytesIO(answer.body)))[0, 0, 0])
                assert shown % 5 != 4, "one of these is sealed"


def test_an_image_that_is_sealed_elsewhere_is_not_shown_here(store):
    history = History(store, pictured=True)
    history.run(pictures(10))
    history.run(pictures(10), split=1)  # what was in the selection is sealed now, and so on
    app = App(store)
    first = digests(app, "Dataset", "dataset")[0]
    told = text_of(app.get(f"/data/{first}/images?split=selection").html)
    assert "sealed" in told
    assert not thumbnails(app, f"/data/{first}/images?split=selection")
    number = OPEN_SPLITS.index("selection")
    assert app.get(f"/data/{first}/thumbnails/{number}").status == 404


def test_what_was_erased_is_not_shown_even_when_it_was_a_moment_ago(store):
    history = History(store, pictured=True)
    history.run([*pictures(5), *(Picture(f"ben/{n}.png", "ben", n) for n in range(20, 25))])
    app = App(store)
    held = dataset(app)
    found = thumbnails(app, f"/data/{held}/images?label=ben")
    assert found
    assert app.get(found[0]).status == 200
    erase(app.service.cache, DataSubject.of_identity("Ben"), actor="olga", reason="asked for it")
    app.refresh()
    assert app.get(found[0]).status == 404
    assert not thumbnails(app, f"/data/{held}/images?label=ben")


def test_what_is_about_to_be_erased_is_not_shown_any_more(app, store):
    """An erasure may be killed when it has only begun: its plan is enough."""
    held = dataset(app)
    found = thumbnails(app, f"/data/{held}/images?split=train")
    assert app.get(found[0]).status == 200
    begun, _ = plan(app.service.cache, DataSubject.of_identity("anna"), actor="olga", reason="")
    announce(store, "erase", begun.id)
    put_erasure(store, begun)
    app.refresh()
    assert app.get(found[0]).status == 404
    assert "erased" in text_of(app.get(f"/data/{held}/images?split=train").html)


@pytest.mark.parametrize(
    "number", ["-1", "x", "1e3", "999999999999", "9" * 400, "..%2Fimages.npy", "%00", "٣"]
)
def test_a_number_that_is_none_is_nothing(app, number):
    assert app.get(f"/data/{dataset(app)}/thumbnails/{number}").status in (400, 404)


@pytest.mark.parametrize("digest", ["0" * 64, "..%2F..", "nosuch", "%00", "G" * 64])
def test_data_that_is_not_there_is_said(app, digest):
    for path in (f"/data/{digest}", f"/data/{digest}/images", f"/data/{digest}/thumbnails/0",
                 f"/data/{digest}/against/{digests(app)[0]}"):  # fmt: skip
        assert app.get(path).status in (400, 404), path


def test_lists_go_on_where_they_end(store):
    history = History(store, pictured=True)
    history.run(pictures(70))
    app = App(store)
    path = f"/data/{dataset(app)}/images"
    seen = []
    while path:
        page = app.get(path).html
        seen += [text_of(one) for one in page.iter("strong")]
        path = links_of(page).get("Further")
    assert seen == [f"anna/{n:02}.png" for n in range(70)]


def test_a_list_of_snapshots_has_pages(store):
    history = History(store)
    for count in range(5, 30):
        history.run(pictures(count))
    app = App(store)
    first = app.get("/data").html
    assert len(first.findall(".//tbody/tr")) == 20
    second = app.get(links_of(first)["Older"]).html
    assert len(second.findall(".//tbody/tr")) == 5


# what changed -----------------------------------------------------------------------------------


def changed(app):
    link = next(
        link for text, link in links_of(app.get("/data").html).items() if text == "what changed"
    )
    return link, app.get(link).html


def test_added_removed_relabelled_moved_and_quarantined_are_told(store):
    history = History(store, pictured=True)
    base = pictures(12)
    history.run(base)
    after = [
        *base[1:9],
        Picture("ben/09.png", "ben", 9),  # under another name and label
        Picture("anna/10.png", "anna", 10, sound=False),
        Picture("new/50.png", "new", 50),
        base[11],
    ]
    history.run(after)
    link, page = changed(App(store))
    sections = {one.get("id"): text_of(one) for one in page.iter("section")}
    assert "anna/00.png" in sections["removed"]
    assert "new/50.png" in sections["added"]
    assert "anna → ben" in sections["relabelled"].replace("became", "")
    assert "anna/10.png" in sections["quarantined"] or "anna/10.png" in sections["replaced"]
    counts = {text_of(one.find("dt")): text_of(one.find("dd")) for one in with_class(page, "tile")}
    assert counts["Added"] == "1"
    assert link


def test_of_many_changes_20_are_shown_and_a_link_leads_to_all(store):
    history = History(store, pictured=True)
    history.run(pictures(5))
    history.run(pictures(150))
    app = App(store)
    link, page = changed(app)
    assert len(list(page.find(".//section[@id='added']").iter("strong"))) == 20
    every = app.get(links_of(page)["All 145"]).html
    assert len(list(every.iter("strong"))) == 100
    rest = app.get(links_of(every)["Further"]).html
    assert len(list(rest.iter("strong"))) == 45
    assert app.get(f"{link}?kind=added&page=99999999999999").status == 200
    assert app.get(f"{link}?kind=nosuch").status == 200


def test_equal_data_says_so_and_a_choice_leads_there(app):
    one, other = digests(app)[:2]
    assert "Nothing differs" in text_of(app.get(f"/data/{one}/against/{one}").html)
    assert (
        app.get(f"/data/compare?a={one}&b={other}")
        .headers["location"]
        .endswith(f"{one}/against/{other}")
    )
    assert app.get("/data/compare").status == 200
