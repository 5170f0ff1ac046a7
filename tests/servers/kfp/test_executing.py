"""The emulated cluster runs, fails, retries and caches as clusters of four versions do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.servers.kfp.executing import Planned, Seeded
from tests.servers.kfp.faults import RefusedError
from tests.servers.kfp.releases import RELEASES, VERSIONS
from tests.servers.kfp.tiny_pipelines import Small, spec_of

LINE = {"source": [], "a": ["source"], "b": ["a"]}
FORK = {**LINE, "c": ["source"]}


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


def state(small: Small, run: str) -> str:
    return small.kfp.backend.runs[run]["state"]


def test_a_run_leaves_outputs_and_logs_below_its_root(version: str) -> None:
    small = Small(version)
    run = small.submit(spec_of(LINE))
    small.cluster.complete(run)
    logs = RELEASES[version].logs_name(0)
    assert state(small, run) == "SUCCEEDED"
    assert small.objects(run) == [f"a/{logs}", "a/made", f"b/{logs}", "b/made"]
    assert small.cluster.pods == {"root": 1, "importer": 1, "driver": 2, "step": 2}


def test_a_second_run_is_taken_from_the_cache(version: str) -> None:
    small = Small(version)
    small.cluster.complete(small.submit(spec_of(LINE)))
    run = small.submit(spec_of(LINE), "two")
    small.cluster.complete(run)
    assert small.objects(run) == []
    assert small.cluster.pods["step"] == 2
    assert small.states(run)["executor"] == "SKIPPED"
    assert small.states(run)["a"] == "SUCCEEDED"


def test_a_step_that_fails_is_run_again_up_to_2_16_alone(version: str) -> None:
    again = not RELEASES[version].retries_every_template
    small = Small(version, codes={"a": [2, 0]})
    run = small.submit(spec_of(LINE))
    small.cluster.complete(run)
    assert state(small, run) == ("SUCCEEDED" if again else "FAILED")
    kept = [name for name in small.objects(run) if name.startswith("a/executor-logs")]
    numbered = RELEASES[version].numbered_logs
    assert (
        kept
        == {
            (True, True): ["a/executor-logs-0", "a/executor-logs-1"],
            (True, False): ["a/executor-logs"],  # of the attempt that ended well
            (False, True): ["a/executor-logs-0"],
        }[again, numbered]
    )


def test_what_a_step_printed_before_it_failed_is_kept_from_2_16_on(version: str) -> None:
    small = Small(version, codes={"a": [2, 2, 2]})
    run = small.submit(spec_of(LINE))
    small.cluster.complete(run)
    assert state(small, run) == "FAILED"
    assert small.states(run)["b"] is None
    assert bool(small.objects(run)) == RELEASES[version].logs_of_failures
    backend = small.kfp.backend
    assert backend.log(run, backend.pod_name(run, "a")) == "a ends with 2\n"
    backend.collect_pods(run)
    with pytest.raises(RefusedError, match="not found"):
        backend.log(run, backend.pod_name(run, "a"))


@pytest.mark.parametrize("where", ["importer", "driver", "step"])
def test_a_lost_pod_is_run_again_on_2_17_alone(version: str, where: str) -> None:
    name = {"importer": "source"}.get(where, "a")
    small = Small(version, Planned({(where, name): ["lost"]}))  # pyright: ignore[reportArgumentType]
    run = small.submit(spec_of(LINE))
    small.cluster.complete(run)
    again = RELEASES[version].retries_every_template
    assert state(small, run) == ("SUCCEEDED" if again else "FAILED")


@pytest.mark.parametrize("where", ["root", "importer", "driver"])
def test_what_fails_beside_the_steps_is_never_run_again(version: str, where: str) -> None:
    name = {"importer": "source", "root": "root"}.get(where, "a")
    small = Small(version, Planned({(where, name): ["fails"]}))  # pyright: ignore[reportArgumentType]
    run = small.submit(spec_of(FORK))
    small.cluster.complete(run)
    assert state(small, run) == "FAILED"
    told = {"root": "root-driver", "importer": "source", "driver": "a-driver"}[where]
    assert small.states(run)[told] == "FAILED"
    assert small.objects(run) == (
        [] if where != "driver" else ["c/" + n for n in _outputs(version)]
    )


def _outputs(version: str) -> list[str]:
    return [RELEASES[version].logs_name(0), "made"]


def test_a_failed_run_is_retried_and_keeps_what_was_done(version: str) -> None:
    small = Small(version, Planned({("driver", "b"): ["fails"]}))
    run = small.submit(spec_of(LINE))
    backend = small.kfp.backend
    with pytest.raises(RefusedError) as caught:
        backend.retry(run)
    assert (caught.value.status, caught.value.code) == (409, 10)
    small.cluster.complete(run)
    before = small.objects(run)
    backend.retry(run)
    assert state(small, run) == "RUNNING"
    assert small.states(run)["b-driver"] == "FAILED", "the rows are those of before at first"
    small.cluster.complete(run)
    assert state(small, run) == "SUCCEEDED"
    assert small.cluster.pods["step"] == 2
    assert set(before) < set(small.objects(run))
    history = [entry["state"] for entry in backend.runs[run]["state_history"]]
    kept = ["PENDING", "RUNNING", "FAILED"] if RELEASES[version].keeps_history else []
    assert history == [*kept, "RUNNING", "SUCCEEDED"]


def test_a_retry_can_be_stuck() -> None:
    small = Small("2.5.0", Planned({("driver", "b"): ["fails"]}))
    run = small.submit(spec_of(LINE))
    small.cluster.complete(run)
    small.kfp.backend.stuck = True
    small.kfp.backend.retry(run)
    small.cluster.complete(run)
    assert state(small, run) == "FAILED"


def test_a_cancelled_run_ends_as_failed(version: str) -> None:
    small = Small(version)
    run = small.submit(spec_of(LINE))
    for _ in range(3):
        small.cluster.advance(run)
    small.kfp.backend.terminate(run)
    small.cluster.complete(run)
    record = small.kfp.backend.runs[run]
    assert record["state"] == "FAILED"
    assert [e["state"] for e in record["state_history"]][-2:] == ["CANCELING", "FAILED"]
    assert small.states(run)["b"] is None


def test_the_task_list_stands_still_above_the_limit_and_launchers_rows_keep_coming() -> None:
    small = Small("2.17.0")
    small.cluster.limit_bytes = 60_000
    run = small.submit(_wide(8))
    small.cluster.complete(run)
    assert state(small, run) == "SUCCEEDED"
    plain, compressed = small.cluster.sizes[run]
    assert compressed < 60_000 < plain
    names = set(small.states(run))
    assert "t0" in names
    assert "t7" not in names
    rows = small.kfp.backend.runs[run]["run_details"]["task_details"]
    launchers = [row for row in rows if "execution_id" in row]
    assert len(launchers) == 8
    assert {key for row in launchers for key in row} == {
        *("run_id", "task_id", "create_time", "start_time", "end_time", "execution_id"),
    }


def _wide(width: int) -> dict[str, Any]:
    """Return tasks beside one another that do not do the same."""
    tasks = {f"t{number}": ["source"] for number in range(width)}
    return spec_of(
        {"source": [], **tasks},
        parameters={name: {"name": name} for name in tasks},
        declared={"name": {"parameterType": "STRING", "isOptional": True}},
    )


def test_a_workflow_that_is_too_large_even_so_breaks_off() -> None:
    small = Small("2.17.0")
    small.cluster.limit_bytes = 25_000
    run = small.submit(_wide(8))
    small.cluster.complete(run)
    assert state(small, run) == "FAILED"
    assert small.kfp.backend.workflows[run].phase == "Error"
    assert "FAILED" not in small.states(run).values(), "no node says why"


@pytest.mark.parametrize(
    ("version", "starts"), [("2.5.0", False), ("2.14.0", True), ("2.17.0", True)]
)
def test_a_root_of_some_size_cannot_be_started_before_argo_3_6(version: str, starts: bool) -> None:
    text = {"text": {"parameterType": "STRING", "isOptional": True}}
    spec = spec_of(LINE, parameters={"a": {"text": "x" * 70_000}}, declared=text)
    small = Small(version)
    run = small.submit(spec)
    small.cluster.advance(run)
    assert state(small, run) == ("RUNNING" if starts else "FAILED")


def test_of_two_components_with_one_container_the_first_is_everybodys(version: str) -> None:
    rate = {"rate": {"parameterType": "NUMBER_DOUBLE"}}
    spec = spec_of(
        {"source": [], "a": ["source"], "b": ["source"]}, parameters={"a": {"rate": 0.5}}
    )
    spec["components"]["comp-a"]["inputDefinitions"]["parameters"] = rate
    small = Small(version)
    run = small.submit(spec)
    small.cluster.complete(run)
    assert state(small, run) == "FAILED"
    assert small.states(run)["b-driver"] == "FAILED"
    node = small.kfp.backend.workflows[run].nodes
    (told,) = {n.message for n in node.values() if n.display_name.startswith("b-driver")} - {""}
    assert told == 'neither value nor default value provided for non-optional parameter "rate"'


def test_parameters_of_another_type_fail_the_driver(version: str) -> None:
    spec = spec_of(
        LINE, parameters={"a": {"n": "1"}}, declared={"n": {"parameterType": "NUMBER_INTEGER"}}
    )
    small = Small(version)
    run = small.submit(spec)
    small.cluster.complete(run)
    assert small.states(run)["a-driver"] == "FAILED"


def test_luck_is_the_same_for_the_same_seed() -> None:
    def struck(seed: int) -> list[str | None]:
        faults = Seeded(seed, lost=0.3, failing=0.2)
        return [faults.strike("driver", f"t{n}") for n in range(40)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert {"lost", "fails", None} == set(struck(1))


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ({"x": [], "x-driver": []}, "sorting failed: duplicated nodeName x-driver"),
        ({"x" * 122: []}, "must be no more than 128 characters"),
        ({"a_b": []}, "alpha-numeric characters"),
    ],
)
def test_names_that_argo_refuses_are_refused_when_a_run_is_created(
    version: str, tasks: dict[str, list[str]], said: str
) -> None:
    small = Small(version)
    with pytest.raises(RefusedError, match=said) as caught:
        small.submit(spec_of(tasks))
    assert caught.value.status == 500
    assert "Failed to validate workflow" in str(caught.value)
    assert json.dumps(small.kfp.backend.runs) == "{}"
