"""Commands that pages start: once at a time, found again by the next service, told when they end."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading

import pytest

from components.contract.errors import UserError
from pipelines.disk.cache_folder import cache_folder
from pipelines.web.jobs import JobOrder, Jobs
from tests.pipelines.web.calling import ended


def order(name="x", words=("doctor",), names=()):
    return JobOrder("doctor", name, words, names, "olga", "to see", "2026-11-27T03:00:00.000+00:00")


def test_the_answer_is_the_document_of_the_command_and_its_end_is_told(store):
    told = threading.Event()
    jobs = Jobs(store.uri, told.set)
    jobs.start(order())
    job = ended(jobs, "doctor", "x")
    assert job.answer
    assert "findings" in job.answer
    assert job.order == order()
    assert told.wait(10)
    assert [one.order.name for one in jobs.all()] == ["x"]


def test_a_command_at_work_is_not_started_again_and_is_found_by_the_next_service(
    store, monkeypatch
):
    first = Jobs(store.uri, lambda: None)
    slow = [sys.executable, "-c", "import time; time.sleep(60)"]
    popen, made = subprocess.Popen, []

    def started(words, **options):
        made.append(popen(slow, **options))
        return made[-1]

    monkeypatch.setattr(subprocess, "Popen", started)
    first.start(order())
    told = threading.Event()
    second = Jobs(store.uri, told.set)
    found = second.find("doctor", "x")
    assert found
    assert (found.going, found.answer) == (True, None)
    with pytest.raises(UserError, match="goes on already"):
        second.start(order())
    second.start(order("y"))
    for process in made:
        process.kill()
    assert told.wait(10), "who did not start it hears of its end, too"
    job = ended(second, "doctor", "x")
    assert (job.answer, job.said) == (None, "")


def test_a_folder_that_is_cleared_away_ends_what_was_started_there(store, monkeypatch):
    popen = subprocess.Popen

    def started(words, **options):
        shutil.rmtree(cache_folder())
        return popen([sys.executable, "-c", ""], **options)

    died = []
    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(threading, "excepthook", lambda fault: died.append(fault.exc_value))
    jobs = Jobs(store.uri, lambda: None)
    before = threading.enumerate()
    jobs.start(order())
    for thread in threading.enumerate():
        if thread not in before:
            thread.join(10)
    assert died == []
    assert jobs.find("doctor", "x") is None
    monkeypatch.undo()
    jobs.start(order())
    assert ended(jobs, "doctor", "x").answer


def test_a_name_that_looks_like_an_option_is_none(store):
    store.put_if_absent("runs/a/run.json", b"{}")
    jobs = Jobs(store.uri, lambda: None)
    jobs.start(order("z", ("show",), ("--json",)))
    job = ended(jobs, "doctor", "z")
    assert job.answer
    assert "--json" in job.answer["error"]["what"]


def test_stores_do_not_see_each_other(store, fast_disk):
    Jobs(store.uri, lambda: None).start(order())
    assert Jobs(str(fast_disk / "other"), lambda: None).find("doctor", "x") is None
