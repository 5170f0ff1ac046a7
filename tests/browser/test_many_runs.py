"""A store of ten thousand runs: pages of it are small, and can be gone through."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from components.contract.digests import canonical_json
from pipelines.lineage.index.opening import open_index
from pipelines.runs.records import read_run
from pipelines.stores.layout import run_key
from pipelines.stores.opening import open_store
from tests.browser.conftest import Opened
from tests.browser.page_checks import Watched, accessibility_faults, document_faults, width_faults
from tests.browser.signing_in import Served, served
from tests.data.filled_store import fill

RUNS = 10_000
_MOST_BYTES = 150_000


def multiply(path: Path, runs: int) -> None:
    """Write copies of the newest run that chose something into an index, with all their steps."""
    database = sqlite3.connect(path)
    with database:
        (of,) = database.execute(
            "SELECT run.id FROM run JOIN choice ON choice.run = run.id ORDER BY started DESC"
        ).fetchone()
        columns = "name, finished, outcome, engine, actor, config, graph, wall_s, whole, stale"
        database.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            f" INSERT INTO run (id, run, started, {columns})"
            " SELECT 1000000 + i, 'tiny-20250101-000000-' || printf('%06x', i),"
            " strftime('%Y-%m-%dT%H:%M:%S.000+00:00', '2025-01-01', '+' || i || ' minutes'),"
            f" {columns} FROM n, run WHERE run.id = ?",
            (runs, of),
        )
        for table, columns in (
            ("run_step", "step, execution, state"),
            ("run_source", "run_source.name, source"),
            ("choice", "artifact"),
        ):
            database.execute(
                f"INSERT INTO {table} SELECT run.id, {columns} FROM run, {table}"
                f" WHERE {table}.run = ? AND run.id > 1000000",
                (of,),
            )
    database.close()


@pytest.fixture(scope="module")
def many(chromium: Browser, tiny_run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The index alone is so large, which makes it in a second: what a list shows is in there."""
    folder = tmp_path_factory.mktemp("many")
    place = fill(tiny_run.store, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        store = open_store(str(place))
        open_index(store).close()
        # An index is taken for another store's where its latest run is not there.
        record = replace(read_run(store, None), run=f"tiny-20250101-000000-{RUNS:06x}")
        assert store.put_if_absent(run_key(record.run), canonical_json(asdict(record)))
    (path,) = folder.glob("slimline/index/*.sqlite")
    multiply(path, RUNS)
    (folder / "serve.yaml").write_text("triggers: false\n")
    with served(chromium, place, folder, "--settings", str(folder / "serve.yaml")) as server:
        yield server


@pytest.mark.parametrize("path", ["/", "/runs", "/runs?name=tiny&outcome=done"])
def test_a_page_stays_small(opened: Opened, many: Served, path):
    page = opened(width=400, state=many.state).new_page()
    watched = Watched(page, many.url)
    answer = page.goto(many.at(path))
    assert answer
    assert len(answer.body()) < _MOST_BYTES
    assert [*document_faults(page), *width_faults(page), *accessibility_faults(page)] == []
    assert watched.faults() == []


def test_lists_are_gone_through_to_older_ones_and_back(opened: Opened, many: Served):
    page = opened(state=many.state).new_page()
    page.goto(many.at("/runs"))
    rows = page.locator("[data-rows] tbody tr")
    expect(page.locator("main")).to_contain_text("10,007")
    first = [rows.nth(number).get_attribute("id") for number in range(rows.count())]
    assert len(first) == 50
    page.get_by_role("link", name="Older").click()
    page.get_by_role("link", name="Newer").wait_for()
    second = [rows.nth(number).get_attribute("id") for number in range(rows.count())]
    assert len(second) == 50
    assert set(first) & set(second) == set()
    page.get_by_role("link", name="Newer").click()
    expect(rows.first).to_have_attribute("id", str(first[0]))
    assert [rows.nth(number).get_attribute("id") for number in range(rows.count())] == first
    for _ in range(len(first) + 3):
        page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('tr').id") == first[-1]
