"""The page of a step: its log in ranges and searched, what went in and out, why it ran."""

from dataclasses import replace

import pytest

from pipelines.engines.machine.skipping import put_skipped
from pipelines.runs.records import put_finished, read_run
from pipelines.stores.layout import log_key
from tests.pipelines.web.calling import App, links_of, main_of, text_of, with_class

RUN = "digits-20261127-040000-aaaa"
OTHER = "digits-20261127-050000-bbbb"


def page(app, path):
    return main_of(app.get(path))


def printed(main):
    (log,) = with_class(main, "printed")
    return "".join(log.itertext())


@pytest.fixture
def failed(made):
    """The address of a step that failed."""
    made.failed(RUN, 9, ago_s=100)
    return f"/runs/{RUN}/steps/{made.names[9]}"


def test_a_failure_is_said_before_its_log(store, failed):
    main = page(App(store), failed)
    text = text_of(main)
    assert text.index("teacher.epochs: 0 epochs train nothing") < text.index("Traceback")
    assert "Do: write epochs: 15" in text
    assert printed(main) == "04:56:52 begin\nTraceback\nepochs: 0\n"


def big_log(store, made, lines=200_000):
    """Write a run with a step whose log is large; returns the address of the step."""
    name = made.names[0]
    text = b"".join(b"%07d epoch\n" % n for n in range(lines))
    store.put_if_absent(log_key(RUN, name), text)
    made.failed(RUN, 1, ago_s=100)
    return f"/runs/{RUN}/steps/{name}", text


def test_of_a_large_log_only_a_part_is_on_a_page(store, made):
    address, text = big_log(store, made)
    app = App(store)
    main = page(app, address)
    assert len(printed(main)) <= 64 * 1024
    assert printed(main).endswith("0199999 epoch\n")
    links = links_of(main)
    first = page(app, links["Beginning"])
    assert printed(first).startswith("0000000 epoch\n")
    second = page(app, links_of(first)["Later"])
    assert printed(first) + printed(second) == text[: 128 * 1024].decode()
    assert printed(page(app, links_of(second)["Earlier"])) == printed(first)
    assert len(app.get(address).body) < 150_000


def test_lines_are_found_and_lead_to_where_they_stand(store, made):
    address, _ = big_log(store, made)
    app = App(store)
    main = page(app, f"{address}?q=0150000")
    assert "1 line holds 0150000." in text_of(main)
    (hit,) = with_class(main, "lines")[0].iter("a")
    assert printed(page(app, hit.get("href"))).startswith("0150000 epoch\n")
    main = page(app, f"{address}?q=EPOCH")
    assert len(list(with_class(main, "lines")[0].iter("a"))) == 100
    more = page(app, links_of(main)["Search on"])
    assert text_of(with_class(more, "lines")[0]).startswith("0000100 epoch")
    assert "No line holds" in text_of(page(app, f"{address}?q=nowhere%3Cb%3E"))


@pytest.mark.parametrize("query", ["from=-1", "from=x", "from=99999999999999999999", "attempt=9",
                                   "attempt=..", "q=%00", "after=1e9&q=a", "from=%F0%9F"])  # fmt: skip
def test_hostile_offsets_are_only_offsets(store, made, query):
    address, _ = big_log(store, made, lines=10)
    assert App(store).get(f"{address}?{query}").status in (200, 400)


def test_a_log_is_followed_by_its_offset(store, made):
    with made.held(RUN):
        path = made.going_here(RUN, 3, "größer\n")
        app = App(store)
        address = f"/runs/{RUN}/steps/{made.names[3]}"
        main = page(app, address)
        (log,) = with_class(main, "printed")
        assert log.get("data-log") == f"{address}/log?attempt=1"
        assert (text_of(log), log.get("data-next")) == ("größer", "9")
        follow = f"{log.get('data-log')}&from=9"
        assert app.get(follow).status == 204
        with path.open("ab") as file:
            file.write("zwölf\nö".encode()[:-1])
        answer = app.get(follow)
        assert (answer.status, answer.text) == (200, "zwölf\n")  # not half a character
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert "x-log-over" not in answer.headers
        assert answer.headers["x-log-next"] == str(9 + len("zwölf\n".encode()))
        assert app.get(f"{log.get('data-log')}&from=x").text == "größer\nzwölf\n"


def test_the_end_of_a_log_is_told(store, failed):
    answer = App(store).get(f"{failed}/log?from=15")
    assert answer.headers["x-log-over"] == "yes"
    assert answer.text == "Traceback\nepochs: 0\n"


def test_a_log_is_given_whole_as_a_file_and_as_it_is(store, made):
    address, text = big_log(store, made)
    answer = App(store).get(f"{address}/log/raw")
    assert answer.body == text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="{RUN}-{made.names[0]}-1.log"'
    )
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_steps_without_a_log_say_why(store, made):
    made.going(RUN, 3, ago_s=20)
    made.failed(OTHER, 3, ago_s=20)
    app = App(store)
    assert "It has not begun" in text_of(page(app, f"/runs/{RUN}/steps/{made.names[9]}"))
    assert "It runs on elsewhere" in text_of(page(app, f"/runs/{RUN}/steps/{made.names[3]}"))
    skipped = text_of(page(app, f"/runs/{OTHER}/steps/{made.names[9]}"))
    assert f"It was skipped: {made.names[3]} failed" in skipped
    answer = app.get(f"/runs/{OTHER}/steps/{made.names[9]}/log/raw")
    assert (answer.status, "no log" in answer.text) == (404, True)


def test_the_record_of_a_step_that_was_skipped_is_shown(store, made):
    record, step = made.failed(OTHER, 3, ago_s=20), made.graph.by_name[made.names[9]]
    keys = put_skipped(store, OTHER, "local", [step], {}, f"{made.names[3]} failed")
    state = {**record.steps[step.name], "record": keys[step.name]}
    put_finished(store, replace(record, run=RUN, steps={**record.steps, step.name: state}))
    shown = page(App(store), f"/runs/{RUN}/steps/{step.name}")
    assert f"It was skipped: {made.names[3]} failed" in text_of(shown)
    assert "It did not run" in text_of(shown)
    assert links_of(shown)["Download"].endswith("/statement")


@pytest.fixture
def written(store, writer, data):
    """Two runs with all their records: the second has other data."""
    writer.run("digits-20260101-000000-aaaa", data)
    (data / "one" / "9.png").write_bytes(b"another")
    writer.run("digits-20260102-000000-bbbb", data, model="other")
    return store


def test_what_went_in_and_came_out_leads_to_lineage(written):
    run = "/runs/digits-20260102-000000-bbbb"
    main = page(App(written), f"{run}/steps/train")
    links = links_of(main)
    assert links["ingest"] == f"{run}/steps/ingest"
    assert links["convert-teacher"] == f"{run}/steps/convert-teacher"
    outputs = read_run(written, "digits-20260102-000000-bbbb").steps["train"]["outputs"]
    assert links[outputs["model"][:12]] == f"/lineage/{outputs['model']}"
    main = page(App(written), f"{run}/steps/ingest")
    source = read_run(written, "digits-20260102-000000-bbbb").sources["data"]
    assert links_of(main)[source[:12]] == f"/data/{source}"
    assert "your data" in text_of(main)


def test_why_it_ran(written):
    app = App(written)
    first = page(app, "/runs/digits-20260101-000000-aaaa/steps/train")
    assert "No run of digits before had such a step" in text_of(first)
    run = "/runs/digits-20260102-000000-bbbb"
    assert "your files: source holds others" in text_of(page(app, f"{run}/steps/ingest"))
    main = page(app, f"{run}/steps/train")
    assert "its input dataset: the step before gave something else" in text_of(main)
    link = links_of(main)["digits-20260101-000000-aaaa"]
    assert link == "/runs/digits-20260101-000000-aaaa/steps/train"


def test_why_a_result_was_taken(written):
    record = read_run(written, "digits-20260102-000000-bbbb")
    steps = {name: {**step, "state": "cached"} for name, step in record.steps.items()}
    again = {
        **record.__dict__,
        "run": OTHER,
        "steps": steps,
        "started": "2026-11-27T05:00:00+00:00",
    }
    put_finished(written, type(record)(**again))
    main = page(App(written), f"/runs/{OTHER}/steps/train")
    text = text_of(main)
    assert "The store held a result of exactly this" in text
    assert "by run digits-20260102-000000-bbbb" in text


def test_the_statement_is_a_file(written):
    answer = App(written).get("/runs/digits-20260102-000000-bbbb/steps/train/statement")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert b"https://in-toto.io/Statement/v1" in answer.body


@pytest.mark.parametrize("path", ["", "/log", "/log/raw", "/statement"])
def test_what_is_no_step_or_run_is_not_found(store, made, failed, path):
    app = App(store)
    for address in (f"/runs/{RUN}/steps/nope{path}", f"/runs/nope/steps/train{path}"):
        answer = app.get(address)
        assert (answer.status, "choose one" in answer.text) == (404, True), address
