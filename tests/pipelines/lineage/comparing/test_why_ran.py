"""Why a step was executed: against the latest execution of the pipeline before."""

import pytest

from pipelines.lineage.comparing.why_ran import why_ran
from pipelines.lineage.index.opening import open_index
from pipelines.runs.step_records import read_record
from pipelines.stores.layout import step_record_key

FIRST, SECOND, THIRD = (f"digits-2026010{n}-000000-aaaa" for n in (1, 2, 3))


@pytest.fixture
def written(store, writer, data):
    writer.run(FIRST, data)
    (data / "one" / "9.png").write_bytes(b"another")
    writer.run(SECOND, data)
    writer.run(THIRD, data, model="other")
    return store


def why(store, run, step):
    now = read_record(store, step_record_key(run, step))
    with open_index(store) as index:
        return why_ran(store, index, run, step, now)


def test_the_first_execution_has_none_before(written):
    assert why(written, FIRST, "train").run == ""


def test_the_latest_execution_before_counts(written):
    found = why(written, THIRD, "convert-teacher")
    assert (found.run, found.record) == (SECOND, step_record_key(SECOND, "convert-teacher"))
    assert found.change.inputs == ["model"]
    ingest = why(written, SECOND, "ingest")
    assert (ingest.run, ingest.change.sources) == (FIRST, ["source"])


def test_what_is_made_of_the_same_has_lost_its_result(written):
    assert why(written, THIRD, "ingest").change is None


def test_a_damaged_record_explains_nothing_and_hides_none_before(written):
    key = step_record_key(SECOND, "train")
    with open_index(written):
        pass
    version = written.stat(key).version
    assert written.replace_if_match(key, b"{", version)
    now = read_record(written, step_record_key(THIRD, "train"))
    with open_index(written, refresh=False) as index:
        assert why_ran(written, index, THIRD, "train", now).run == FIRST
