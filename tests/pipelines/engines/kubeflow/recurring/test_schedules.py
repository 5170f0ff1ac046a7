"""Schedules: what is asked for is what the server keeps; replaced without a gap, whenever killed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.cli.main import main
from pipelines.engines.kubeflow.launching.submitting import MODELS
from pipelines.engines.kubeflow.recurring.recurring_run import read
from tests.servers.kfp.cluster import Cluster
from tests.servers.kfp.releases import RELEASES
from tests.servers.kfp.server import KfpServer

Schedule = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def schedule(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> Schedule:
    """Calls ``slimline schedule`` with ``--json``: exit code, document, standard error."""

    def call(*words: str | Path) -> tuple[int, Any, str]:
        place = ("--engine", "kubeflow", "--host", cluster.kfp.url, "--json")
        native = ["--native"] if words[0] == "add" else []
        code = main(["schedule", *map(str, words), *native, *place])
        captured = capsys.readouterr()
        return code, json.loads(captured.out), captured.err

    return call


def changed(path: Path, **changes: Any) -> Path:
    plain = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**plain, **changes}, sort_keys=False))
    return path


def rows(server: KfpServer) -> list[dict[str, Any]]:
    return list(server.backend.recurring.values())


def test_five_fields_become_six_and_missed_times_are_not_made_up_for(
    cluster: Cluster, config_path: Path, schedule: Schedule
) -> None:
    code, document, _ = schedule(
        "add", config_path, "--cron", "30 3 * * mon-fri", "--zone", "Europe/Berlin",
        "--concurrency", "3",
    )  # fmt: skip
    assert code == 0
    (made,) = document["schedules"]
    (row,) = rows(cluster.kfp)
    assert row["trigger"]["cron_schedule"] == {"cron": "0 30 3 * * mon-fri"}
    assert (row["no_catchup"], row["max_concurrency"], row["status"]) == (True, "3", "ENABLED")
    assert row["display_name"] == made["name"] == "tiny"
    version = cluster.kfp.backend.versions[row["pipeline_version_reference"]["pipeline_version_id"]]
    assert version["name"] == made["version"]
    assert len(made["next"]) == 5
    moments = [datetime.fromisoformat(item) for item in made["next"]]
    assert all((item.hour, item.minute) == (3, 30) and item.weekday() < 5 for item in moments)
    assert moments == sorted(moments)
    assert moments[0] > datetime.now(UTC)


def test_caching_is_what_the_configuration_says(
    cluster: Cluster, config_path: Path, schedule: Schedule
) -> None:
    plain = yaml.safe_load(config_path.read_text())
    changed(config_path, kubeflow={**plain["kubeflow"], "cache": False})
    assert schedule("add", config_path, "--cron", "0 3 * * *")[0] == 0
    (version,) = cluster.kfp.backend.versions.values()
    tasks = version["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
    assert not any(task["cachingOptions"].get("enableCache") for task in tasks.values())


def test_adding_the_same_again_changes_nothing(
    cluster: Cluster, config_path: Path, schedule: Schedule
) -> None:
    first = schedule("add", config_path, "--cron", "0 3 * * *")
    assert schedule("add", config_path, "--cron", "0 3 * * *")[1] == first[1]
    assert cluster.kfp.requests["create_recurring_run"] == 1


def test_a_changed_pipeline_replaces_the_schedule_and_the_new_one_comes_first(
    cluster: Cluster, config_path: Path, schedule: Schedule
) -> None:
    schedule("add", config_path, "--cron", "0 3 * * *")
    (old,) = rows(cluster.kfp)
    log: list[tuple[str, int]] = []
    cluster.kfp.after = lambda operation: log.append((operation, enabled(cluster.kfp)))
    changed(config_path, seed=7)
    schedule("add", config_path, "--cron", "0 3 * * *")
    (new,) = rows(cluster.kfp)
    assert new["recurring_run_id"] != old["recurring_run_id"]
    assert new["pipeline_version_reference"] != old["pipeline_version_reference"]
    done = [
        operation for operation, _ in log if "recurring" in operation and "list" not in operation
    ]
    assert done == [
        "create_recurring_run", "get_recurring_run",
        "enable_recurring_run", "get_recurring_run", "delete_recurring_run",
    ]  # fmt: skip
    assert min(count for _, count in log) >= 1, "one fires at any time"


def enabled(server: KfpServer) -> int:
    return sum(row["status"] == "ENABLED" for row in rows(server))


@pytest.mark.parametrize(
    "operation",
    ["create_recurring_run", "get_recurring_run", "enable_recurring_run", "delete_recurring_run"],
)
def test_killed_anywhere_one_still_fires_and_adding_once_more_leaves_one(
    cluster: Cluster, config_path: Path, schedule: Schedule, operation: str
) -> None:
    schedule("add", config_path, "--cron", "0 3 * * *")
    changed(config_path, seed=7)

    def kill(done: str) -> None:
        if done == operation:
            cluster.kfp.always("*", "401")  # nothing that follows reaches the server

    cluster.kfp.after = kill
    assert schedule("add", config_path, "--cron", "0 3 * * *")[0] == (
        0 if operation == "delete_recurring_run" and len(rows(cluster.kfp)) == 1 else 2
    )
    assert enabled(cluster.kfp) >= 1
    cluster.kfp.after = lambda _: None
    cluster.kfp.recover()
    code, document, _ = schedule("add", config_path, "--cron", "0 3 * * *")
    assert code == 0
    (row,) = rows(cluster.kfp)
    assert row["status"] == "ENABLED"
    assert row["recurring_run_id"] == document["schedules"][0]["recurring_run"]
    assert document["schedules"][0]["version"] in row["description"]


@pytest.mark.parametrize("kind", ["lost", "reset", "500", "503"])
def test_one_schedule_whatever_becomes_of_the_answer(
    cluster: Cluster, config_path: Path, schedule: Schedule, kind: str
) -> None:
    for operation in ("create_recurring_run", "enable_recurring_run"):
        cluster.kfp.plan(operation, kind)
    assert schedule("add", config_path, "--cron", "0 3 * * *")[0] == 0
    (row,) = rows(cluster.kfp)
    assert row["status"] == "ENABLED"


def test_a_server_that_makes_something_else_of_it_is_not_believed(
    cluster: Cluster, config_path: Path, schedule: Schedule
) -> None:
    schedule("add", config_path, "--cron", "0 3 * * *")
    (old,) = rows(cluster.kfp)

    def misread(operation: str) -> None:
        if operation == "create_recurring_run":
            rows(cluster.kfp)[-1]["trigger"]["cron_schedule"]["cron"] = "0 0 4 * * *"

    cluster.kfp.after = misread
    code, document, _ = schedule("add", config_path, "--cron", "30 3 * * *")
    assert code == 2
    assert "its cron differ" in document["error"]["what"]
    assert rows(cluster.kfp) == [old]


def test_pause_resume_and_remove(cluster: Cluster, config_path: Path, schedule: Schedule) -> None:
    schedule("add", config_path, "--cron", "0 3 * * *", "--name", "nightly")
    document = schedule("pause", "nightly")[1]
    assert document["schedules"][0]["enabled"] is False
    assert document["schedules"][0]["next"] == []
    changed(config_path, seed=7)
    document = schedule("add", config_path, "--cron", "0 3 * * *", "--name", "nightly")[1]
    assert document["schedules"][0]["enabled"] is False, "what was paused stays so"
    assert len(rows(cluster.kfp)) == 1
    assert schedule("resume", "nightly")[1]["schedules"][0]["enabled"] is True
    assert [item["name"] for item in schedule("list")[1]["schedules"]] == ["nightly"]
    code, document, _ = schedule("pause", "nightl")
    assert code == 2
    assert "did you mean 'nightly'" in document["error"]["fix"]
    assert schedule("remove", "nightly")[0] == 0
    assert schedule("list")[1]["schedules"] == []
    assert schedule("remove", "nightly")[0] == 2


def test_what_other_people_scheduled_is_left_alone(
    cluster: Cluster, config_path: Path, schedule: Schedule
) -> None:
    schedule("add", config_path, "--cron", "0 3 * * *")
    (mine,) = rows(cluster.kfp)
    cluster.kfp.backend.create_recurring({**mine, "description": "by hand"})
    assert len(schedule("list")[1]["schedules"]) == 1
    schedule("remove", "tiny")
    assert [row["description"] for row in rows(cluster.kfp)] == ["by hand"]


@pytest.mark.parametrize(
    ("words", "said", "fix"),
    [
        (("--cron", "0 30 3 * * 1"), "has 6 fields", "slimline adds the second"),
        (("--cron", "0 30 3 * * 1 2026"), "has 7 fields", "slimline adds the second"),
        (("--cron", "0 3 * *"), "has 4 fields", "in quotes"),
        (("--cron", "0 3 * * *", "--zone", "Europe/Berln"), "no time zone", "Europe/Berlin"),
        (("--cron", "0 3 * * *", "--concurrency", "11"), "1 to 10 runs", "give 1 to 10"),
        (("--cron", "0 3 * * *", "--concurrency", "0"), "1 to 10 runs", "give 1 to 10"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    cluster: Cluster, config_path: Path, schedule: Schedule,
    words: tuple[str, ...], said: str, fix: str,
) -> None:  # fmt: skip
    code, document, _ = schedule("add", config_path, *words)
    assert code == 2
    assert said in document["error"]["what"]
    assert fix in document["error"]["fix"]
    assert not cluster.kfp.requests


def test_a_person_reads_when_and_in_which_zone(
    cluster: Cluster, config_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--engine", "kubeflow", "--host", cluster.kfp.url]
    words = ["--cron", "30 2 * * *", "--zone", "Europe/Berlin"]
    assert main(["schedule", "add", str(config_path), "--native", *words, *place]) == 0
    said = capsys.readouterr().out
    assert said.count("  next  ") == 5
    assert " UTC)" in said
    assert "CRON_SCHEDULE_TIMEZONE=Europe/Berlin" in said


def test_no_schedule_without_a_server(
    config_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    assert main(["schedule", "list", "--engine", "kubeflow"]) == 2
    assert "--host" in capsys.readouterr().err


# upgrades of the server -------------------------------------------------------------------------


def test_after_an_upgrade_adding_the_same_again_replaces_what_keeps_the_old_launcher(
    cluster: Cluster, config_path: Path, schedule: Schedule, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.kfp.backend.release = RELEASES["2.16.1"]
    schedule("add", config_path, "--cron", "0 3 * * *")
    (old,) = rows(cluster.kfp)
    cluster.kfp.backend.release = RELEASES["2.17.0"]
    assert main(["schedule", "list", "--engine", "kubeflow", "--host", cluster.kfp.url]) == 0
    assert "made when the server was 2.16.1, and it is 2.17.0 now" in capsys.readouterr().out
    log: list[int] = []
    cluster.kfp.after = lambda _: log.append(enabled(cluster.kfp))
    made = schedule("add", config_path, "--cron", "0 3 * * *")[1]["schedules"]
    (new,) = rows(cluster.kfp)
    assert new["recurring_run_id"] != old["recurring_run_id"]
    assert min(log) >= 1, "one fires at any time"
    assert made[0]["server"] == "2.17.0"
    schedule("add", config_path, "--cron", "0 3 * * *")
    assert rows(cluster.kfp) == [new], "once is enough"
    assert main(["schedule", "list", "--engine", "kubeflow", "--host", cluster.kfp.url]) == 0
    assert "old launcher" not in capsys.readouterr().out


def test_a_schedule_of_an_earlier_slimline_is_known_and_replaced_once(
    cluster: Cluster, config_path: Path, schedule: Schedule
) -> None:
    schedule("add", config_path, "--cron", "0 3 * * *")
    (row,) = rows(cluster.kfp)
    row["description"] = re.sub(r"server \S+, ", "", row["description"])
    (listed,) = schedule("list")[1]["schedules"]
    assert listed["server"] == "unknown"
    schedule("add", config_path, "--cron", "0 3 * * *")
    (new,) = rows(cluster.kfp)
    assert new["recurring_run_id"] != row["recurring_run_id"]


def test_what_was_paused_stays_so_over_an_upgrade(
    cluster: Cluster, config_path: Path, schedule: Schedule
) -> None:
    cluster.kfp.backend.release = RELEASES["2.14.0"]
    schedule("add", config_path, "--cron", "0 3 * * *")
    schedule("pause", "tiny")
    cluster.kfp.backend.release = RELEASES["2.17.0"]
    (made,) = schedule("add", config_path, "--cron", "0 3 * * *")[1]["schedules"]
    assert (made["enabled"], made["server"]) == (False, "2.17.0")


@pytest.mark.parametrize("version", ["2.5.0", "2.14.0", "2.16.1", "2.17.0"])
def test_the_version_that_marks_name_is_what_real_servers_said(shared: Path, version: str) -> None:
    recorded = json.loads((shared / "kfp_golden" / version / "schedules.json").read_text())
    assert recorded[0]["reply"]["tag_name"] == version
    (made,) = [row for row in recorded if row["method"] == "POST" and row["path"].endswith("/recurringruns")][:1]  # fmt: skip
    row = MODELS.V2beta1RecurringRun(
        display_name="sched", recurring_run_id="r", max_concurrency="1", status="ENABLED",
        description=made["reply"]["description"],
        trigger=MODELS.V2beta1Trigger(cron_schedule=MODELS.V2beta1CronSchedule(cron="0 30 3 * * *")),
    )  # fmt: skip
    found = read(row)
    assert found, "a mark that an earlier slimline left on a real server is known"
    assert found.server == "unknown"


def test_recurring_runs_are_listed_with_the_triggers_where_they_are_asked_for(
    cluster: Cluster, config_path: Path, schedule: Schedule, capsys: pytest.CaptureFixture[str]
) -> None:
    assert schedule("add", config_path, "--cron", "30 3 * * *")[0] == 0
    (made,) = rows(cluster.kfp)
    store = yaml.safe_load(config_path.read_text())["store"]
    words = ["triggers", "list", "--store", str(config_path.parent / store)]
    Path(words[-1]).mkdir(parents=True, exist_ok=True)
    assert main([*words, "--engine", "kubeflow", "--host", cluster.kfp.url, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (native,) = document["native"]
    assert (native["kind"], native["cron"]) == ("native", "30 3 * * *")
    assert native["recurring_run"] == made["recurring_run_id"]
    assert main([*words, "--engine", "kubeflow", "--host", cluster.kfp.url]) == 0
    assert "native, started by the cluster itself" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["native"] == []
    assert main([*words, "--host", cluster.kfp.url]) == 2
