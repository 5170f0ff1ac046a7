"""Folders that are whole one by one: those being written never train, and are not missed either."""

import pytest

from components.contract.errors import UserError
from pipelines.runs.kept.kept_sources import read_source
from pipelines.runs.records import list_runs
from pipelines.stores.opening import open_store
from pipelines.triggers.confirming import confirm
from pipelines.triggers.launches import launches
from pipelines.triggers.settings import WatchSettings
from pipelines.triggers.ticks import read_ticks
from tests.pipelines.triggers.worlds import World

QUIET = WatchSettings(quiet_s=600, settle="folder")
MARKED = WatchSettings(quiet_s=None, marker="_SUCCESS", settle="folder")


class BucketWorld(World):
    """A world whose data lies in a bucket."""

    def __init__(self, store, folder, gcs):
        self._gcs = gcs.storage
        super().__init__(store, folder)
        self.data = "gs://data/faces"

    def write(self, name, content):
        self._gcs.write("data", f"faces/{name}", content, {}, {})

    def remove(self, name):
        self._gcs.delete("data", f"faces/{name}", {})


@pytest.fixture(params=["directory", "bucket"])
def world(request, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    store = open_store(str(tmp_path / "store"))
    if request.param == "directory":
        return World(store, tmp_path)
    gcs = request.getfixturevalue("gcs")
    gcs.bucket("data")
    return BucketWorld(store, tmp_path, gcs)


def feed(world, label, minutes=10):
    """Time goes by, in which one folder gets files and ticks look; the last answer."""
    for number in range(minutes // 5):
        world.tick()
        world.upload(label, 1, begin=1000 + world.clock().minute * 100 + number)
        world.clock.passes(minutes=5)
    return world.tick()


def trained(world):
    """The names of all that the last run was made of."""
    run = max(list_runs(world.store), key=lambda one: one.started)
    return {file.name for file in read_source(world.store, run.sources["data"]).files}


def test_folders_that_rest_train_while_another_is_written(world):
    world.trigger(watch=QUIET)
    ((what, why),) = feed(world, "b")
    assert (what, why) == (
        "launch", "first data: 3 files; left out, perhaps being written: b: done",
    )  # fmt: skip
    assert trained(world) == {"a/0.png", "a/1.png", "a/2.png"}
    ((what, why),) = feed(world, "b")
    assert what == "nothing"
    assert "trained as run" in why
    assert why.endswith("left out, perhaps being written: b")
    assert read_ticks(world.store, "t")[-1].why == why
    world.clock.passes(minutes=10)
    world.tick()
    world.clock.passes(minutes=1)
    ((what, why),) = world.tick()
    assert what == "launch"
    assert "left out" not in why
    assert {name.split("/")[0] for name in trained(world)} == {"a", "b"}


def test_while_no_folder_rests_nothing_trains_and_in_the_end_a_person_is_asked(world):
    world.trigger(watch=WatchSettings(quiet_s=600, settle="folder", max_wait_s=3600))
    ((what, why),) = feed(world, "a")
    assert what == "wait"
    assert why == "perhaps every folder is being written: at most quiet for 0 s of 10 min: a"
    ((what, why),) = feed(world, "a", 60)
    assert what == "hold"
    assert "no folder of the data has been whole for" in why
    assert not list_runs(world.store)


def test_a_folder_that_is_written_again_is_no_shrinkage(world):
    for label in "bcdefghi":
        world.upload(label, 3)
    world.trigger(watch=QUIET)
    assert feed(world, "new")[0][0] == "launch"
    world.remove("b/0.png")
    world.remove("b/1.png")
    ((what, why),) = world.tick()
    assert what == "nothing"  # another snapshot, and of the folders that are whole the same
    assert why.startswith("the same images in all folders that are whole")
    assert why.endswith("left out, perhaps being written: b, new")
    world.upload("more", 1)
    for _ in range(3):
        world.clock.passes(minutes=5)
        world.write("b/0.png", f"{world.clock()}".encode())
        ((what, why),) = world.tick()
    assert what == "launch"
    assert "b/2.png" not in trained(world)
    assert "more/0.png" in trained(world)


def test_much_of_what_was_trained_on_is_waited_for_while_it_is_written(world):
    world.upload("b", 3)
    trigger = world.trigger(watch=QUIET)
    assert feed(world, "new")[0][0] == "launch"
    ((what, why),) = feed(world, "b")
    assert what == "wait"
    assert "3 of 6 files that run" in why
    assert "lie in folders that are being written: b" in why
    ((what, why),) = feed(world, "b", 7 * 60)
    assert what == "hold"
    assert len(list_runs(world.store)) == 1
    held = read_ticks(world.store, "t")[-1]
    confirm(world.store, trigger, held.key, actor="me", reason="b goes on", at=world.clock())
    ((what, why),) = world.tick()
    assert what == "launch"
    assert {name.split("/")[0] for name in trained(world)} == {"a", "new"}


def test_a_folder_that_is_renamed_is_no_shrinkage(world):
    world.upload("b", 3)
    world.trigger(watch=QUIET)
    feed(world, "new")
    runs = len(list_runs(world.store))
    for number in range(3):
        world.write(f"c/{number}.png", f"b {number}".encode())
        world.remove(f"b/{number}.png")
    ((what, _),) = world.tick()
    assert what == "wait"
    for _ in range(3):
        world.clock.passes(minutes=5)
        ((what, why),) = world.tick()
    assert what != "hold", why
    assert runs <= len(list_runs(world.store)) <= runs + 1


def test_a_folder_that_stays_away_is_shrinkage(world):
    world.upload("b", 3)
    world.trigger(watch=QUIET)
    for _ in range(3):
        world.tick()
        world.clock.passes(minutes=5)
    assert len(list_runs(world.store)) == 1
    for number in range(3):
        world.remove(f"b/{number}.png")
    assert world.tick()[0][0] == "wait"
    world.clock.passes(minutes=5)
    world.tick()
    world.clock.passes(minutes=5)
    ((what, why),) = world.tick()
    assert what == "hold"
    assert "3 files where there were 6: 50% are gone" in why


def test_a_marker_in_a_folder_makes_that_folder_whole(world):
    trigger = world.trigger(watch=MARKED)
    world.upload("b", 2)
    assert world.tick()[0] == (
        "wait", "in no folder is _SUCCESS newer than all beside it: a, b"
    )  # fmt: skip
    world.write("b/_SUCCESS", b"")
    ((what, why),) = world.tick()
    assert (what, why) == (
        "launch", "first data: 2 files; left out, perhaps being written: a: done",
    )  # fmt: skip
    (launch,) = launches(world.store, trigger).values()
    assert launch.why.endswith("(marker _SUCCESS)")
    assert trained(world) == {"b/0.png", "b/1.png"}


def test_a_run_is_of_what_was_settled_also_when_another_folder_settles_before_it_begins(world):
    trigger = world.trigger(watch=QUIET)
    world.runs.outcomes = ["failed", "done"]
    feed(world, "b")
    world.clock.passes(minutes=30)  # now b rests, too
    ((what, _),) = world.tick()
    assert what == "launch"
    assert trained(world) == {"a/0.png", "a/1.png", "a/2.png"}
    states = [one.state(2) for one in launches(world.store, trigger).values()]
    assert states == ["done"]


def test_what_is_added_elsewhere_ends_no_run_and_what_is_added_to_its_folders_does(world):
    trigger = world.trigger(watch=QUIET)
    seen = []

    def meanwhile() -> None:
        world.clock.passes(minutes=2)
        world.upload("b", 5, begin=5000)
        seen.extend(what for what, _ in world.tick())
        world.upload("a", 1, begin=50)
        seen.extend(what for what, _ in world.tick())

    world.runs.meanwhile = meanwhile
    feed(world, "b")
    assert seen == ["wait", "cancel"]
    (launch,) = launches(world.store, trigger).values()
    assert "grew from 3 to 4 files" in launch.why


def test_by_hand_only_whole_folders_are_launched(world):
    trigger = world.trigger(watch=QUIET)
    ticker = world.ticker()
    with pytest.raises(UserError) as refused:
        ticker.launch_now(trigger, "now", "me")
    assert "slimline tick t" in refused.value.fix
    feed(world, "b", 5)  # nothing launched yet
    world.clock.passes(minutes=5)
    _, carried = ticker.launch_now(trigger, "now", "me")
    ticker.close()
    assert carried.what == "done"
    assert trained(world) == {"a/0.png", "a/1.png", "a/2.png"}


def test_testing_notes_nothing(world):
    world.trigger(watch=QUIET)
    for _ in range(2):
        world.tick()
        world.clock.passes(minutes=5)
    before = sorted(world.store.list(""))
    ticker = world.ticker()
    (ticked,) = ticker.tick("t", dry=True)
    ticker.close()
    assert ticked.rows[0].what == "launch"
    assert sorted(world.store.list("")) == before


def test_data_that_is_no_folders_is_refused_with_what_helps(world):
    world.trigger(watch=QUIET)
    for name in ("0.png", "1.png", "2.png"):
        world.remove(f"a/{name}")
    world.write("list.csv", b"file,label\nx/0.png,a\nx/1.png,b\n")
    world.write("x/0.png", b"0")
    world.write("x/1.png", b"1")
    ((what, why),) = world.tick()
    assert what == "error"
    assert "--settle all" in why
