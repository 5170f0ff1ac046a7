"""Runs started, run again and cancelled through pages: just what is registered, by whom and why."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.config.loading import load
from pipelines.runs.actions import list_actions
from pipelines.runs.live.cancelling import read_cancellation
from pipelines.triggers.kept import put_trigger
from pipelines.web.settings import ServeSettings
from tests.data.page_runs import nightly
from tests.pipelines.web.calling import READER, App, forms_of, text_of

RUN = "digits-20261127-040000-aaaa"
CONFIG = """\
name: digits
task: classification
data: {data}
image: {{height: 8, width: 8, channels: 1}}
split: {{by: image}}
teacher: {{backbone: conv, alpha: 1.0, embedding: 32, epochs: 1}}
variants:
  student: [{{distill: {{backbone: conv, alpha: 0.5, epochs: 1}}}}]
devices: [host]
budgets: {{size_mb: 0.1, metric: accuracy, drop: 0.08}}
baseline: none
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "digits.yaml"
    path.write_text(CONFIG.format(data=tmp_path / "nothing-there"))
    return path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Returns the command lines, and actors, of what was started instead of it."""
    told = tmp_path / "told"
    program = tmp_path / "python"
    program.write_text(
        "#!/bin/sh\nprintf '%s\\n' \"$SLIMLINE_ACTOR $*\" >> " + f"{told}\necho nothing there\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))

    def lines():
        for thread in threading.enumerate():
            if thread.name.startswith("started "):
                thread.join(10)
        return told.read_text().splitlines() if told.exists() else []

    return lines


def app_of(store, *configs, **more):
    settings = ServeSettings(store=store.uri)  # a file has texts, which loading makes paths of
    return App(store, settings.model_copy(update={"configs": configs, **more}))


def key_of(app):
    (fields,) = [fields for address, fields in forms_of(app.get("/start").html).items()]
    return fields["config"]


def test_what_is_registered_is_started_with_who_and_why(store, config, started):
    app = app_of(store, config)
    answer = app.post("/start", {"config": key_of(app), "reason": "try it"})
    assert answer.status == 303, answer.text
    (line,) = started()
    run = answer.headers["location"].removeprefix("/runs/")
    assert line == (
        f"olga -m pipelines.cli run {config} --store {store.uri} --engine local --run-id {run}"
    )
    (action,) = list_actions(store, 5)
    assert (action.actor, action.action, action.what, action.reason) == (
        "olga", "run", run, "try it",
    )  # fmt: skip


def test_a_run_that_died_before_it_began_says_why(store, config, started):
    app = app_of(store, config)
    answer = app.post("/start", {"config": key_of(app), "reason": "try it"})
    started()
    page = app.get(answer.headers["location"])
    assert page.status == 200
    assert "Its process ended before the run was recorded" in text_of(page.html)
    assert "nothing there" in text_of(page.html)


def test_nothing_else_can_be_started(store, config, started):
    app = app_of(store, config)
    for wanted in ("", str(config), "/etc/passwd", "0" * 16):
        answer = app.post("/start", {"config": wanted, "reason": "try it"})
        assert (answer.status, "may not be started" in answer.text) == (409, True)
    key = key_of(app)
    assert app.post("/start", {"config": key, "reason": " "}).status == 409
    assert app.post("/start", {"config": key}).status == 403
    extra = {"config": key, "reason": "x", "store": "/elsewhere"}
    assert app.post("/start", extra).status == 403
    assert app.post("/start", {"config": key, "reason": "x"}, viewer=READER).status == 403
    assert app.post("/start", {"config": key, "reason": "x"}, csrf="other").status == 403
    assert started() == []
    assert list_actions(store, 5) == []


def test_readers_get_no_buttons_and_read_only_has_no_actions(store, config):
    app = app_of(store, config)
    assert forms_of(app.get("/start", viewer=READER).html) == {}
    assert app_of(store, config, read_only=True).post("/start", {}).status == 405


def test_a_file_that_is_no_configuration_says_so(store, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("name: digits\nnonsense: 1\n")
    page = app_of(store, path, tmp_path / "gone.yaml").get("/start").html
    assert "nonsense" in text_of(page)
    assert "gone.yaml" in text_of(page)
    assert forms_of(page) == {}


def test_without_configurations_it_says_how_to_register_one(store):
    assert "configs: [my-pipeline.yaml]" in text_of(App(store).get("/start").html)


@pytest.fixture
def ended(made, config):
    """A run of the registered configuration, that failed."""
    given = load(config)
    return made.failed(
        RUN, 3, ago_s=60, config_digest=given.digest, places={"data": str(given.data)}
    )


def test_a_run_is_run_again_from_its_own_configuration(store, ended, config, started):
    app = app_of(store, config)
    assert f"/runs/{RUN}/again" in forms_of(app.get(f"/runs/{RUN}").html)
    answer = app.post(f"/runs/{RUN}/again", {"reason": "it was the disk"})
    assert answer.status == 303, answer.text
    assert len(started()) == 1
    (action,) = list_actions(store, 5)
    assert (action.action, action.reason) == ("run again", f"{RUN} again: it was the disk")


def test_what_has_changed_since_is_not_run_again(store, ended, config, started):
    config.write_text(config.read_text().replace("epochs: 1", "epochs: 2"))
    answer = app_of(store, config).post(f"/runs/{RUN}/again", {"reason": "x"})
    assert answer.status == 409
    assert "its file has changed since" in answer.text
    assert started() == []


def test_a_run_of_a_trigger_is_launched_by_it(store, made, config, started):
    given = load(config)
    put_trigger(store, nightly(given, datetime.now(UTC)))
    made.failed(RUN, 3, ago_s=60, config_digest=given.digest, actor="trigger nightly",
                places={"data": str(given.data)})  # fmt: skip
    answer = App(store).post(f"/runs/{RUN}/again", {"reason": "again"})
    assert (answer.status, answer.headers["location"]) == (303, "/triggers/nightly")
    assert list_actions(store, 5)[0].action == "run trigger"


def test_a_run_is_cancelled_with_who_and_why(store, made):
    made.going(RUN, 8, ago_s=60)
    app = App(store)
    answer = app.post(f"/runs/{RUN}/cancel", {"reason": "wrong data"})
    assert (answer.status, answer.headers["location"]) == (303, f"/runs/{RUN}")
    asked = read_cancellation(store, RUN)
    assert (asked.actor, asked.reason) == ("olga", "wrong data")
    (action,) = list_actions(store, 5)
    assert (action.action, action.what, action.reason) == ("cancel", RUN, "wrong data")
    assert "olga asked for its end: wrong data" in text_of(app.get(f"/runs/{RUN}").html)


@pytest.mark.parametrize("run", [RUN, "nope", "..%2f..", "%00"])
def test_what_does_not_run_is_not_cancelled(store, made, run):
    made.failed(RUN, 3, ago_s=60)
    answer = App(store).post(f"/runs/{run}/cancel", {"reason": "x"})
    assert answer.status in (400, 404, 405, 409)
    assert list_actions(store, 5) == []
