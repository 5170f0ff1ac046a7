"""The gate: what it lets pass, what it refuses, and where it cannot decide."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.config.releases import GateSection
from pipelines.releases import gate
from pipelines.releases.gate_finding import GateFinding
from pipelines.releases.published import PublishedRelease
from pipelines.runs.cache import Cache
from pipelines.runs.ledger import open_sealed, times_opened
from pipelines.stores.opening import open_store
from tests.data.challengers import PARAMETERS, SHAPE, Run, write_run
from tests.pipelines.stores.damage import remove

CHAMPION, BETTER, WORSE = "faces-20260101-000000-aaaa", "faces-20260102-000000-bbbb", "faces-c"
SEEN = range(1000, 1030)
"""Sealed images of the challenger on which the champion was trained."""


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """A store on a disk with runs that are compared."""
    folder = tmp_path_factory.mktemp("gate")
    return Cache(open_store(str(folder / "store")), folder / "work")


@pytest.fixture(scope="session")
def champion(kept: Cache) -> PublishedRelease:
    return write_run(kept, Run(CHAMPION, noise=0.2, trained=[*range(40), *SEEN]))


@pytest.fixture(scope="session")
def better(kept: Cache) -> PublishedRelease:
    return write_run(kept, Run(BETTER))


@pytest.fixture(scope="session")
def passed(kept: Cache, better: PublishedRelease, champion: PublishedRelease) -> GateFinding:
    """What the gate says of the better one: two real evaluations."""
    return gate.judge(kept, better, champion, GateSection())


def test_a_better_one_passes(passed: GateFinding, champion: PublishedRelease) -> None:
    assert passed.verdict == "yes", passed.reasons
    assert (passed.images, passed.left_out) == (230, 30)
    assert passed.drop
    assert passed.drop.high <= 0
    assert (passed.metric, passed.limit, passed.champion) == ("accuracy", 0.01, champion.release)
    assert set(passed.reports) == {"champion", "challenger"}
    assert "on 230 sealed images" in passed.reasons[0]


def test_to_ask_again_runs_nothing_and_counts_once(
    kept: Cache, passed: GateFinding, better: PublishedRelease, champion: PublishedRelease
) -> None:
    sealed = better.output("ingest", "sealed")
    assert sealed
    executed = sorted(key for key in kept.store.list("runs/gate-") if "/steps/" in key)
    assert [key.rpartition("/")[2] for key in executed] == [
        "evaluate-challenger.json", "evaluate-champion.json",
    ]  # fmt: skip
    before = times_opened(kept.store, sealed)
    assert gate.judge(kept, better, champion, GateSection()) == passed
    assert sorted(key for key in kept.store.list("runs/gate-") if "/steps/" in key) == executed
    assert times_opened(kept.store, sealed) == before == passed.opened


def test_a_worse_one_does_not(
    kept: Cache, better: PublishedRelease, champion: PublishedRelease, passed: GateFinding
) -> None:
    """The same two the other way round: what is sealed is the challenger's."""
    found = gate.judge(kept, champion, better, GateSection())
    assert found.verdict == "no"
    assert "it loses more than 0.010 of accuracy against the champion" in found.reasons[0]
    assert gate.judge(kept, champion, better, GateSection(drop=1.0)).verdict == "yes"


def verdict(
    kept: Cache, challenger: PublishedRelease, champion: PublishedRelease | None, **given: Any
) -> tuple[str, str]:
    found = gate.judge(kept, challenger, champion, GateSection(**given))
    return found.verdict, "; ".join(found.reasons)


def test_without_a_champion_to_qualify_is_enough(kept: Cache, better: PublishedRelease) -> None:
    assert verdict(kept, better, None)[0] == "yes"
    reasons = ["drop 0.03 exceeds 0.02"]
    poor = write_run(kept, Run("faces-p", manifest={"qualified": False, "reasons": reasons}))
    said, why = verdict(kept, poor, None)
    assert (said, why) == ("no", "it does not qualify: drop 0.03 exceeds 0.02")
    assert verdict(kept, poor, better)[0] == "no"


def test_too_few_images_cannot_decide(
    kept: Cache, better: PublishedRelease, champion: PublishedRelease
) -> None:
    said, why = verdict(kept, better, champion, least_images=231)
    assert said == "cannot decide"
    assert "230 sealed images are left" in why
    assert "(30 others were seen)" in why
    assert verdict(kept, better, champion, least_images=230)[0] == "yes"  # the fix


@pytest.mark.parametrize("records", [False, True], ids=["files", "records"])
@pytest.mark.parametrize("whose", ["champion", "challenger"])
def test_manifests_of_earlier_versions_cannot_decide(
    kept: Cache, better: PublishedRelease, champion: PublishedRelease, whose: str, records: bool
) -> None:
    earlier = write_run(kept, Run(f"faces-{whose}-{records}", earlier=True, records=records))
    pair = (better, earlier) if whose == "champion" else (earlier, champion)
    said, why = verdict(kept, *pair)
    assert said == "cannot decide"
    assert f"the manifest of {earlier} was written by an earlier version" in why


def test_records_are_told_by_their_pixels(kept: Cache, passed: GateFinding) -> None:
    """The champion's data is a file of records, the challenger's one file an image."""
    champion = write_run(
        kept, Run("faces-r1", noise=0.2, trained=[*range(40), *SEEN], records=True)
    )
    challenger = write_run(kept, Run("faces-r2", records=True))
    found = gate.judge(kept, challenger, champion, GateSection())
    assert (found.verdict, found.images, found.left_out) == ("yes", 230, 30)
    # The very images, in the very rows: both reports were there already.
    assert found.reports == passed.reports


INTERFACE: Sequence[tuple[str, dict[str, Any]]] = (
    ("task was 'classification' and is 'verification'", {"task": "verification"}),
    ("input.shape was .* and is", {"input": {"shape": [1, 9, 9, 1], "dtype": "float32"}}),
    ("input.dtype was 'float32' and is 'int8'", {"input": {"shape": [1, *SHAPE], "dtype": "int8"}}),
    ("output.labels was", {"output": {"shape": [1, 4], "dtype": "float32", "meaning": "scores"}}),
)


@pytest.mark.parametrize(("what", "manifest"), INTERFACE)
def test_what_apps_would_have_to_change_is_refused(
    kept: Cache, champion: PublishedRelease, what: str, manifest: dict[str, Any]
) -> None:
    changed = write_run(
        kept, Run(f"faces-{what.partition('.')[2][:5] or 'task'}", manifest=manifest)
    )
    sealed = changed.output("ingest", "sealed")
    assert sealed
    before = times_opened(kept.store, sealed)
    found = gate.judge(kept, changed, champion, GateSection())
    assert found.verdict == "no"
    expected = f"apps would have to change: {what}"
    assert any(re.match(expected, reason) for reason in found.reasons), found.reasons
    assert times_opened(kept.store, sealed) == before  # nothing was opened for it


def test_size_and_latency_of_the_champion_are_kept(kept: Cache, better: PublishedRelease) -> None:
    budgets = {"metric": "accuracy", "drop": 0.02, "size_mb": 0.0001, "latency_ms": 0.15}
    strict = write_run(kept, Run("faces-strict", noise=0.2, manifest={"budgets": budgets}))
    said, why = verdict(kept, better, strict)
    assert said == "no"
    assert "exceed the 100 that the champion had to keep" in why
    assert "its latency on host" in why
    unmeasured = write_run(kept, Run("faces-unmeasured", manifest={"selection": {"p50_ms": {}}}))
    loose = write_run(kept, Run("faces-loose", noise=0.2, trained=[*range(40), *SEEN]))
    said, why = verdict(kept, unmeasured, loose)
    assert said == "cannot decide"
    assert "its latency on host was not measured" in why


def test_a_file_that_nobody_measured(kept: Cache, champion: PublishedRelease) -> None:
    foreign = write_run(kept, Run("faces-foreign", manifest={"sha256": "0" * 64}))
    said, why = verdict(kept, foreign, champion)
    assert said == "cannot decide"
    assert "model.tflite is no file that its run measured" in why


def test_floors_hold_on_these_images(
    kept: Cache, better: PublishedRelease, champion: PublishedRelease, passed: GateFinding
) -> None:
    budgets = {"metric": "accuracy", "drop": 0.02, "at_least": {"accuracy": 0.99}}
    high = write_run(
        kept, Run("faces-f", noise=0.2, trained=[*range(40), *SEEN], manifest={"budgets": budgets})
    )
    said, why = verdict(kept, high, better, drop=1.0)
    assert said == "no"
    assert "its own floors: " in why
    assert "is below 0.99" in why
    assert verdict(kept, better, high, drop=1.0)[0] == "yes"


def test_a_missing_artifact_cannot_decide(kept: Cache, champion: PublishedRelease) -> None:
    gone = write_run(kept, Run("faces-gone", sealed=range(2000, 2300)))
    sealed = gone.output("ingest", "sealed")
    assert sealed
    remove(kept.store, f"trees/{sealed}.json")
    said, why = verdict(Cache(kept.store, kept._scratch), gone, champion)
    assert said == "cannot decide"
    assert "is not in this store or damaged" in why
    remove(kept.store, f"trees/{gone.output('ingest', 'dataset')}.json")
    said, why = verdict(Cache(kept.store, kept._scratch), gone, champion)
    assert "the manifest of the data of" in why


def test_worn_images_are_said_to_be(
    kept: Cache, better: PublishedRelease, champion: PublishedRelease
) -> None:
    sealed = better.output("ingest", "sealed")
    assert sealed
    assert not any(
        "worn" in one for one in gate.judge(kept, better, champion, GateSection()).remarks
    )
    for number in range(21):
        open_sealed(kept.store, sealed, f"gate-{number}", "evaluate-champion")
    found = gate.judge(kept, better, champion, GateSection())
    assert found.verdict == "yes"
    assert any("the sealed images are worn" in remark for remark in found.remarks)


def test_over_a_bucket(store_uri: Callable[[str], str], tmp_path: Path) -> None:
    """What decides without evaluations reads the same over both stores."""
    cache = Cache(open_store(store_uri("gate")), tmp_path / "work")
    champion = write_run(cache, Run(CHAMPION, noise=0.2, trained=[*range(40), *SEEN]))
    better = write_run(cache, Run(BETTER))
    assert verdict(cache, better, champion, least_images=231)[0] == "cannot decide"
    assert verdict(cache, better, None)[0] == "yes"


def test_parameters_are_those_of_the_component() -> None:
    from components.contract.interface import interface_of

    assert {port.name for port in interface_of("evaluate").parameters} == set(PARAMETERS)


def test_each_file_is_compared_with_the_one_whose_place_it_takes(kept: Cache) -> None:
    before = write_run(kept, Run("faces-two", devices={"board": 0.2, "s21": 0.3}))
    now = write_run(kept, Run("faces-two-now", devices={"board": 0.1, "s21": 0.0}))
    found = gate.judge(kept, now, before, GateSection())
    assert found.verdict == "yes", found.reasons
    assert [reason.partition(":")[0] for reason in found.reasons] == ["board", "s21"]
    assert set(found.reports) == {
        "challenger-board", "champion-board", "challenger-s21", "champion-s21",
    }  # fmt: skip
    assert len(set(found.reports.values())) == 4


def test_one_worse_file_is_enough_to_say_no(kept: Cache) -> None:
    before = write_run(kept, Run("faces-good", devices={"board": 0.1, "s21": 0.0}))
    now = write_run(kept, Run("faces-half", devices={"board": 0.0, "s21": 0.3}))
    found = gate.judge(kept, now, before, GateSection())
    assert found.verdict == "no"
    (reason,) = found.reasons
    assert reason.startswith("s21: it loses more than 0.010 of accuracy against the champion")
    assert found.drop
    assert found.drop.low > 0.01


def test_a_device_that_would_lose_its_file_is_named(kept: Cache) -> None:
    before = write_run(kept, Run("faces-both", devices={"board": 0.1, "s21": 0.1}))
    fewer = write_run(kept, Run("faces-one", devices={"board": 0.0, "tablet": 0.0}))
    found = gate.judge(kept, fewer, before, GateSection())
    assert (found.verdict, found.reasons) == (
        "no", ("it has no file for s21, which the champion has",),
    )  # fmt: skip
    assert "tablet: the champion has no file to compare with" in found.remarks
    assert not found.reports


def test_one_file_for_all_and_a_file_for_each_can_follow_each_other(
    kept: Cache, champion: PublishedRelease
) -> None:
    each = write_run(kept, Run("faces-each", devices={"host": 0.0, "s21": 0.1}))
    found = gate.judge(kept, each, champion, GateSection())
    assert found.verdict == "yes", found.reasons
    assert any("devices that it does not name take model.tflite" in one for one in found.remarks)
    again = write_run(kept, Run("faces-again"))
    back = gate.judge(kept, again, each, GateSection())
    assert back.reasons == (
        "s21: its latency on s21 was not measured, and the champion had to keep a limit",
    )
    quick = {"value": 0.1, "low": 0.1, "high": 0.2}
    timed = {"selection": {"p50_ms": {"host": quick, "s21": quick}}}
    back = gate.judge(
        kept, write_run(kept, Run("faces-timed", manifest=timed)), each, GateSection()
    )
    assert back.verdict == "yes", back.reasons
    assert [reason.partition(":")[0] for reason in back.reasons] == ["host", "s21"]


def test_a_latency_is_held_against_the_file_of_its_device(kept: Cache) -> None:
    before = write_run(kept, Run("faces-fast", devices={"board": 0.2, "s21": 0.2}))
    slow = {"value": 3.0, "low": 2.9, "high": 3.1}
    entries = [dict(one) for one in before.manifest["files"]]
    entries[1] |= {"selection": {"p50_ms": {"s21": slow}}}
    now = write_run(
        kept, Run("faces-slow", devices={"board": 0.2, "s21": 0.2}, manifest={"files": entries})
    )
    said, why = verdict(kept, now, before)
    assert said == "no"
    assert why.startswith("s21: its latency on s21, 3.0")
    assert "board: " not in why
