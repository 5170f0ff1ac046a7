"""Triggers in the UI, in a world whose clock tests set: what is told of each, and what people do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.runs.actions import list_actions
from pipelines.stores.layout import trigger_key
from pipelines.triggers.kept import read_trigger
from pipelines.triggers.launches import end, launches, reopen
from pipelines.triggers.settings import ScheduleSettings, WatchSettings
from pipelines.web.pages.triggers.trigger_rows import row_of
from pipelines.web.security.viewer import Viewer
from tests.data.releases import put_release, rewrite
from tests.pipelines.triggers.worlds import World
from tests.pipelines.web.calling import READER, App, ended, forms_of, links_of, text_of, with_class

NIGHTLY = ScheduleSettings(cron="30 2 * * *", zone="Europe/Berlin")
RUNNER = Viewer("rolf", "run")


@pytest.fixture
def world(store, fast_disk):
    return World(store, fast_disk)


def app_of(world):
    """The pages, by the clock of the world; nobody but the world ticks."""
    app = App(world.store)
    app.service.clock = world.clock
    return app


def shown(world, name="t", **given):
    answer = app_of(world).get(f"/triggers/{name}", **given)
    assert answer.status == 200, answer.text
    return answer.html


def ticks(world, count, seconds=2.0):
    for _ in range(count):
        world.tick()
        world.clock.passes(seconds=seconds)


def states(world, name="t"):
    trigger = read_trigger(world.store, name)
    return [one.state(trigger.retries) for one in launches(world.store, trigger).values()]


def test_what_never_changes_of_launches_is_read_once(world, monkeypatch):
    """A launch that has ended is not read again, one that is taken up again is seen at once."""
    world.trigger(schedule=ScheduleSettings(cron="* * * * *", zone="UTC"), retries=0)
    for outcome in ("done", "failed", "done"):
        world.runs.outcomes.append(outcome)
        ticks(world, 1, seconds=60)
    app, read, get = app_of(world), [], type(world.store).get

    def counted(self, key, *rest):
        read.append(key)
        return get(self, key, *rest)

    monkeypatch.setattr(type(world.store), "get", counted)
    for path in ("/triggers/t", "/triggers", "/"):
        first = text_of(app.get(path).html)
        read.clear()
        assert text_of(app.get(path).html) == first
        kept = (
            ("launches/",) if path == "/" else ("launches/", "runs/")
        )  # home tells of latest runs
        assert not [key for key in read if key.startswith(kept)]
    trigger = read_trigger(world.store, "t")
    (dead,) = [key for key, one in launches(world.store, trigger).items()
               if one.state(0) == "dead letter"]  # fmt: skip
    for why in ("known", "known after all"):
        end(world.store, trigger, dead, "dismissed", why, world.clock().isoformat(), "ann")
        assert f"{why}" in text_of(app.get("/triggers/t").html)
        reopen(world.store, trigger, dead)
        assert "dead letter" in text_of(app.get("/triggers/t").html)
    before = len(launches(world.store, trigger))
    ticks(world, 1, seconds=60)
    rows = row_of(app.service, trigger, world.clock()).launches
    assert [row.launch.key for row in rows][::-1] == list(launches(world.store, trigger))
    assert len(rows) == before + 1


# what is told -------------------------------------------------------------------------------------


def test_a_schedule_is_told_in_words_with_its_zone_and_its_next_five_times(world):
    world.trigger(schedule=NIGHTLY)
    text = text_of(shown(world))
    assert "At 02:30 every day" in text
    assert "Europe/Berlin" in text
    times = with_class(shown(world), "times")[0]
    assert len(list(times.iter("tr"))) == 6
    assert "Sat 28 Nov 2026 02:30 +01:00" in " ".join(text_of(cell) for cell in times.iter("td"))


def test_releases_are_linked_once_there_are_any(world):
    trigger = world.trigger(schedule=NIGHTLY)
    name = trigger.configured["name"]
    assert f"none of {name} yet" in text_of(shown(world))
    assert f"/releases/{name}" not in links_of(shown(world)).values()
    put_release(world.store, f"{name}-20260101-000000-aaaa", name=name)
    page = shown(world)
    assert f"none of {name} yet" not in text_of(page)
    assert f"/releases/{name}" in links_of(page).values()


def test_where_the_clock_changes_the_offset_says_so(world):
    world.clock.now = world.clock.now.replace(year=2027, month=3, day=26)
    world.trigger(schedule=NIGHTLY)
    rows = [text_of(row) for row in with_class(shown(world), "times")[0].iter("tr")]
    assert ["the clock changes before" in row for row in rows].count(True) == 1
    assert "Sun 28 Mar 2027" in next(row for row in rows if "the clock changes" in row)


def test_a_watch_tells_how_far_its_data_is(world):
    world.trigger(watch=WatchSettings(quiet_s=1, when=("images:200",)))
    ticks(world, 4)
    world.upload("b", 140)
    ticks(world, 4)
    assert "140 of 200 new images" in text_of(shown(world))
    listed = text_of(app_of(world).get("/triggers").html)
    assert "140 of 200 new images" in listed
    assert "When 200 images are new" in listed


def test_a_watch_of_single_folders_tells_how_many_are_whole_and_which_are_left_out(world):
    world.trigger(watch=WatchSettings(quiet_s=1, settle="folder"))
    ticks(world, 4)
    world.upload("b", 2)
    ticks(world, 1)
    text = text_of(shown(world))
    assert "1 of 2 folders are whole" in text
    assert "left out, perhaps being written: b" in text
    assert "each folder by itself; those that are being written are left out" in text


def test_each_tick_has_its_reason_and_equal_ones_are_told_as_one(world):
    world.trigger(schedule=ScheduleSettings(cron="* * * * *", zone="UTC", overlap="skip"))
    world.clock.passes(minutes=1)

    def again():
        world.clock.passes(minutes=1)
        world.tick()
        world.clock.passes(seconds=1)
        world.tick()

    world.runs.meanwhile = again
    world.tick()
    text = text_of(shown(world))
    assert "skipped because the run" in text
    assert "goes on" in text


def test_a_dead_letter_says_which_step_failed_and_why(world):
    world.trigger(watch=WatchSettings(quiet_s=1))
    world.runs.outcomes = ["user fault"]
    ticks(world, 4)
    (run,) = world.runs.begun
    page = shown(world)
    assert "dead letter" in text_of(page.find(".//header[@class='masthead']"))
    assert "train failed: w" in text_of(page)
    assert links_of(page)["train"] == f"/runs/{run}/steps/train"
    assert links_of(page)[run] == f"/runs/{run}"


def test_nobody_who_ticks_is_told_as_overdue(world):
    world.trigger(schedule=NIGHTLY)
    world.clock.passes(days=2)
    assert "Overdue" in text_of(shown(world))
    world.tick()
    assert "Overdue" not in text_of(shown(world))


def test_names_and_reasons_are_inert(world):
    world.trigger(schedule=NIGHTLY, paused="<script>alert(1)</script>, by eve", actor="<b>eve</b>")
    answer = app_of(world).get("/triggers/t")
    assert "<script>alert" not in answer.text
    assert "<b>eve" not in answer.text


@pytest.mark.parametrize("name", ["nobody", "%2e%2e", "t%00", "t.json", "a" * 400])
def test_a_name_that_is_none_is_not_found(world, name):
    world.trigger(schedule=NIGHTLY)
    assert app_of(world).get(f"/triggers/{name}").status in (400, 404, 414)


def test_a_damaged_trigger_hides_no_other(world):
    world.trigger(schedule=NIGHTLY)
    world.trigger("u", schedule=NIGHTLY)
    rewrite(world.store, trigger_key("u"), b"{")
    answer = app_of(world).get("/triggers")
    assert answer.status == 200
    assert "u cannot be read" in text_of(answer.html)
    assert "/triggers/t" in links_of(answer.html).values()
    assert app_of(world).get("/triggers/u").status == 409


def test_an_empty_store_says_how_to_add_one(store):
    assert "slimline schedule add CONFIG" in App(store).get("/triggers").text


# what people do -----------------------------------------------------------------------------------


def test_who_pauses_and_why_is_kept_with_it_and_resuming_makes_up_for_nothing(world):
    world.trigger(schedule=ScheduleSettings(cron="* * * * *", zone="UTC"))
    app = app_of(world)
    assert app.post("/triggers/t/pause", {"reason": "new camera"}, viewer=RUNNER).status == 303
    assert read_trigger(world.store, "t").paused == "new camera, by rolf"
    assert "new camera, by rolf" in text_of(shown(world))
    world.clock.passes(minutes=10)
    assert world.tick() == [("paused", "new camera, by rolf")]
    assert app.post("/triggers/t/resume", viewer=RUNNER).status == 303
    assert read_trigger(world.store, "t").paused == ""
    assert [what for what, _ in world.tick()] == ["nothing"]
    assert [(one.actor, one.action, one.what, one.reason) for one in list_actions(world.store, 9)] == [
        ("rolf", "resume trigger", "t", ""), ("rolf", "pause trigger", "t", "new camera"),
    ]  # fmt: skip


def test_a_reader_changes_nothing_and_sees_no_forms(world):
    world.trigger(schedule=NIGHTLY)
    assert forms_of(shown(world, viewer=READER)) == {}
    app = app_of(world)
    for action, fields in (
        ("pause", {"reason": "x"}), ("resume", {}), ("run", {"reason": "x"}), ("test", {}),
    ):  # fmt: skip
        assert app.post(f"/triggers/t/{action}", fields, viewer=READER).status == 403
    assert read_trigger(world.store, "t").paused == ""
    assert list_actions(world.store, 9) == []


def test_a_dead_letter_is_dismissed_once_with_a_reason(world):
    world.trigger(watch=WatchSettings(quiet_s=1))
    world.runs.outcomes = ["user fault"]
    ticks(world, 4)
    app, (key,) = app_of(world), launches(world.store, read_trigger(world.store, "t"))
    assert app.post("/triggers/t/dismiss", {"key": key, "reason": " "}).status == 409
    assert app.post("/triggers/t/dismiss", {"key": "0" * 64, "reason": "x"}).status == 409
    assert app.post("/triggers/t/dismiss", {"key": key, "reason": "camera 3"}).status == 303
    assert states(world) == ["dismissed"]
    assert "camera 3" in text_of(shown(world))
    assert app.post("/triggers/t/dismiss", {"key": key, "reason": "again"}).status == 409


def test_held_data_is_confirmed_in_the_name_of_who_looked_at_it(world):
    world.trigger(watch=WatchSettings(quiet_s=1, shrink=0.2))
    ticks(world, 4)
    (world.data / "a" / "0.png").unlink()
    ticks(world, 4)
    page = shown(world)
    assert "Held:" in text_of(page)
    held = forms_of(page)["/triggers/t/confirm"]["held"]
    app = app_of(world)
    assert app.post("/triggers/t/confirm", {"held": "0" * 64, "reason": "x"}).status == 409
    assert app.post("/triggers/t/confirm", {"held": held, "reason": "cleaned up"}).status == 303
    ended(app.service.jobs, "tick", "t")
    launch = launches(world.store, read_trigger(world.store, "t"))[held]
    assert launch.attempts[0].actor == "olga"
    assert "cleaned up" in launch.attempts[0].why
    assert app.post("/triggers/t/confirm", {"held": held, "reason": "again"}).status == 409


def test_a_test_says_what_a_tick_would_do_and_does_nothing(world):
    world.trigger(schedule=NIGHTLY, since=(world.clock.now - timedelta(days=1)).isoformat())
    app = app_of(world)
    assert app.post("/triggers/t/test", viewer=RUNNER).status == 303
    ended(app.service.jobs, "triggers test", "t")
    page = app.get("/triggers/t").html
    assert "A tick would have done this" in text_of(page)
    assert any(word in text_of(page) for word in ("launch:", "leave out:", "nothing:"))
    assert states(world) == []


def test_what_cannot_be_launched_says_so_on_the_page(world):
    world.trigger(watch=WatchSettings(quiet_s=1))
    for path in (world.data / "a").iterdir():
        path.unlink()
    app = app_of(world)
    assert app.post("/triggers/t/run", {"reason": "now"}, viewer=RUNNER).status == 303
    job = ended(app.service.jobs, "triggers run", "t")
    assert job.answer
    text = text_of(app.get("/triggers/t").html)
    assert "refused" in text or "failed" in text
    assert list_actions(world.store, 1)[0].actor == "rolf"


def test_a_launch_that_ended_well_is_not_tried_again(world):
    trigger = world.trigger(watch=WatchSettings(quiet_s=1))
    ticks(world, 4)
    (key,) = launches(world.store, trigger)
    assert app_of(world).post("/triggers/t/retry", {"key": key}).status == 409


def test_a_trigger_that_was_removed_meanwhile_is_told(world):
    world.trigger(schedule=NIGHTLY)
    answer = app_of(world).post("/triggers/gone/pause", {"reason": "x"})
    assert answer.status == 409
    assert "no trigger is called gone" in answer.text
