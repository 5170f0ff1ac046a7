"""What a step left is judged by what it is; nothing in it is trusted."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from components.contract.closure import code_digest
from components.contract.execution import CRASHED, OK
from pipelines.disk.scratch import scratch_folder
from pipelines.engines.machine.execution import Context, execute_step
from pipelines.engines.machine.runner import CANCELLED, EXITED, Ended
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Step
from pipelines.runs.keys import ingredients_of
from pipelines.runs.live.events import StepDone, StepFailed, StepSkipped, StepStarted
from pipelines.stores.layout import claim_key
from pipelines.stores.leases import Leases
from pipelines.stores.opening import open_store
from tests.data.deep_trees import LONG, dig

STEP = Step("release", "publish", {}, {"name": "x"}, 1.0, 60.0)


class Leaves:
    """A runner whose steps leave what a function makes of their folder, and end well or not."""

    name = "leaves"

    def __init__(self, leave, code=OK):
        self.leave, self.code = leave, code

    def run(self, job):
        (job.folder / "out").mkdir()
        self.leave(job.folder)
        return Ended(self.code, EXITED, 0)

    def image_digest(self, step):
        return None


def execute_claimed(context, ingredients, announce=lambda event: None, step=STEP):
    leases = Leases(context.cache.store, 1.0)
    claim = leases.take(claim_key(ingredients.key), {})
    try:
        return execute_step(context, step, ingredients, claim, announce)
    finally:
        claim.release()
        leases.close()


@pytest.fixture
def performed(tmp_path):
    """Performs a step whose process leaves what ``leave`` makes of its folder."""

    def perform_step(leave, code=OK):
        work = tmp_path / "work"
        work.mkdir()
        cache = Cache(open_store(str(tmp_path / "store")), tmp_path / "scratch")
        context = Context(Leaves(leave, code), cache, work, "a-run", {}, threading.Event())
        return execute_claimed(context, ingredients)

    ingredients = ingredients_of(STEP, {}, "0" * 64)
    return perform_step


def write_statement(folder, step=STEP, names=("release", "page", "report"), **changes):
    from components.contract.tree import tree_of

    outputs = {
        name: {"digest": tree_of(folder / "out" / name).digest}
        for name in names
        if (folder / "out" / name).exists()
    }
    said = {"code": code_digest(step.component), "wall_s": 1.0, "outputs": outputs}
    (folder / "statement.json").write_text(json.dumps({**said, **changes}))


def leave_all(folder):
    (folder / "out" / "release").mkdir()
    (folder / "out" / "release" / "model.tflite").write_bytes(b"model")
    (folder / "out" / "page").write_text("page")
    (folder / "out" / "report").write_text("page")


def whole(folder):
    leave_all(folder)
    write_statement(folder)


def test_what_is_as_it_was_said_is_a_result(performed, tmp_path):
    done = performed(whole)
    assert set(done.outputs) == {"release", "page", "report"}
    assert not (tmp_path / "work" / "steps" / "release").exists()


MEASURING = Step("time", "benchmark", {}, {}, 1.0, 60.0)


def measured(metrics):
    """What a step that measures leaves, with these metrics."""

    def leave(folder):
        (folder / "out" / "report").mkdir()
        (folder / "out" / "report" / "benchmark.json").write_text("{}")
        (folder / "out" / "metrics").write_text(metrics)
        write_statement(folder, MEASURING, ("report", "metrics"))

    return leave


@pytest.mark.parametrize(
    ("metrics", "kept"),
    [
        ('{"provisional": 1, "size_bytes": 9}', False),
        ('{"provisional": 0}', True),
        ('{"crashed": 1}', True),
        ("[]", True),
        ("no json", True),
    ],
)
def test_a_provisional_result_is_for_this_run_alone(tmp_path, metrics, kept):
    (tmp_path / "work").mkdir()
    cache = Cache(open_store(str(tmp_path / "store")), tmp_path / "scratch")
    runner = Leaves(measured(metrics))
    context = Context(runner, cache, tmp_path / "work", "a-run", {}, threading.Event())
    done = execute_claimed(context, ingredients_of(MEASURING, {}, "0" * 64), step=MEASURING)
    assert isinstance(done, StepDone)
    assert cache.read_file(done.outputs["metrics"], ".") == metrics.encode()
    assert (cache.lookup(done.key) is not None) == kept


def no_statement(folder, secret):
    leave_all(folder)


def a_link_for_a_statement(folder, secret):
    leave_all(folder)
    write_statement(folder)
    (folder / "statement.json").rename(secret.with_name("elsewhere.json"))
    (folder / "statement.json").symlink_to(secret.with_name("elsewhere.json"))


def a_pipe_for_a_statement(folder, secret):
    leave_all(folder)
    os.mkfifo(folder / "statement.json")


def a_folder_for_a_statement(folder, secret):
    leave_all(folder)
    (folder / "statement.json").mkdir()


def no_json(folder, secret):
    leave_all(folder)
    (folder / "statement.json").write_bytes(b"\xff[")


def endless_json(folder, secret):
    leave_all(folder)
    (folder / "statement.json").write_text("[" * 100_000)


def a_list(folder, secret):
    leave_all(folder)
    (folder / "statement.json").write_text("[1]")


def no_digests(folder, secret):
    leave_all(folder)
    write_statement(folder, outputs=[1])


def no_time(folder, secret):
    leave_all(folder)
    write_statement(folder, wall_s=float("nan"))


def another_output(folder, secret):
    leave_all(folder)
    write_statement(folder)
    (folder / "out" / "page").write_text("another page")


def an_output_missing(folder, secret):
    leave_all(folder)
    write_statement(folder)
    (folder / "out" / "page").unlink()


def a_folder_for_a_file(folder, secret):
    leave_all(folder)
    (folder / "out" / "page").unlink()
    (folder / "out" / "page").mkdir()
    (folder / "out" / "page" / "index.html").write_text("page")
    write_statement(folder)


def a_link_for_an_output(folder, secret):
    leave_all(folder)
    write_statement(folder)
    (folder / "out" / "page").unlink()
    (folder / "out" / "page").symlink_to(secret)


def a_link_to_a_folder_for_an_output(folder, secret):
    leave_all(folder)
    write_statement(folder)
    (folder / "out" / "release").rename(folder / "release")
    (folder / "out" / "release").symlink_to(secret.parent, target_is_directory=True)


def a_link_for_all_outputs(folder, secret):
    leave_all(folder)
    write_statement(folder)
    (folder / "out").rename(secret.parent / "out")
    (folder / "out").symlink_to(secret.parent / "out", target_is_directory=True)


def a_name_that_is_no_text(folder, secret):
    leave_all(folder)
    write_statement(folder)
    Path(os.fsdecode(bytes(folder / "out" / "release") + b"/\xff")).touch()


def a_link_inside_an_output(folder, secret):
    leave_all(folder)
    write_statement(folder)
    (folder / "out" / "release" / "link").symlink_to(secret)


def a_pipe_inside_an_output(folder, secret):
    leave_all(folder)
    write_statement(folder)
    os.mkfifo(folder / "out" / "release" / "pipe")


def a_deep_output(folder, secret):
    leave_all(folder)
    write_statement(folder)
    dig(folder / "out" / "release", 3000)


def an_output_of_long_names(folder, secret):
    leave_all(folder)
    write_statement(folder)
    dig(folder / "out" / "release", 20, LONG)


@pytest.mark.parametrize(
    ("leave", "said"),
    [
        (no_statement, "no statement that can be read"),
        (a_link_for_a_statement, "no statement that can be read"),
        (a_pipe_for_a_statement, "no statement that can be read"),
        (a_folder_for_a_statement, "no statement that can be read"),
        (no_json, "no statement that can be read"),
        (endless_json, "no statement that can be read"),
        (a_list, "no statement that can be read"),
        (no_digests, "no statement that can be read"),
        (no_time, "no statement that can be read"),
        (another_output, "its output page is not what its statement says"),
        (an_output_missing, "its output page cannot be kept"),
        (a_folder_for_a_file, "its output page is no Page"),
        (a_link_for_an_output, "page is a link"),
        (a_link_to_a_folder_for_an_output, "release is a link"),
        (a_link_for_all_outputs, "the folder of its outputs is a link"),
        (a_name_that_is_no_text, "has a name that is not UTF-8"),
        (a_link_inside_an_output, "is a link or a special file"),
        (a_pipe_inside_an_output, "is a link or a special file"),
        (a_deep_output, "lies deeper than the 64 levels"),
        (an_output_of_long_names, "is too long a path"),
    ],
)
def test_anything_else_fails_the_step_and_nothing_is_read_elsewhere(
    performed, cleared, tmp_path, leave, said
):
    secret = tmp_path / "secrets" / "secret"
    secret.parent.mkdir()
    secret.write_bytes(b"a secret of this machine")
    failed = performed(lambda folder: leave(folder, secret))
    assert isinstance(failed, StepFailed)
    assert said in failed.what
    assert not failed.user_fault
    store = tmp_path / "store"
    assert not [p for p in store.rglob("*") if p.is_file() and b"a secret" in p.read_bytes()]
    assert not list((store / "ac").glob("*")) if (store / "ac").exists() else True


def test_seconds_that_came_as_text_are_kept_as_a_number(performed):
    def leave(folder):
        leave_all(folder)
        write_statement(folder, wall_s="1.5")

    assert performed(leave).function_s == 1.5


@pytest.mark.parametrize(
    ("code", "outcome", "what", "user_fault"),
    [
        (1, {"what": "it broke"}, "it broke", False),
        (2, {"what": "too small", "fix": "give more"}, "too small", True),
        (1, None, "exited with 1", False),
        (1, 3, "exited with 1", False),
        (2, "fix", "exited with 2", False),
        (2, ["fix"], "exited with 2", False),
        (2, {"fix": "give more"}, "exited with 2", False),
        (2, {"what": 3, "fix": "give more"}, "exited with 2", False),
        (2, {"what": "too small", "fix": {}}, "too small", False),
    ],
)
def test_a_failed_step_is_told_in_its_own_words_where_these_are_words(
    performed, code, outcome, what, user_fault
):
    def leave(folder):
        write_statement(folder, outcome=outcome)

    failed = performed(leave, code)
    assert isinstance(failed, StepFailed)
    assert failed.what == f"release: {what}"
    assert failed.user_fault == user_fault
    assert failed.fix == ("give more" if user_fault else "slimline logs a-run release")


DIGS = """
import os
for name in ("tmp", "out/release"):
    os.mkdir(name)
    home = os.open(".", os.O_RDONLY)
    os.chdir(name)
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    os.fchdir(home)
"""


@pytest.mark.parametrize("code", [OK, CRASHED])
def test_a_process_that_digs_deep_fails_alone_and_the_next_run_starts(cleared, code):
    def dig_and_end(folder):
        write_statement(folder)
        subprocess.run([sys.executable, "-c", DIGS], cwd=folder, check=True)

    root = cleared / "work"
    store = open_store(str(cleared / "store"))
    ingredients = ingredients_of(STEP, {}, "0" * 64)
    with scratch_folder(root, "a-run") as work:
        runner = Leaves(dig_and_end, code)
        context = Context(runner, Cache(store, work), work, "a-run", {}, threading.Event())
        failed = execute_claimed(context, ingredients)
        assert isinstance(failed, StepFailed)
        assert ("deeper than the 64 levels" in failed.what) == (code == OK)
    assert not list(root.iterdir())
    with scratch_folder(root, "another-run") as work:
        context = Context(Leaves(whole), Cache(store, work), work, "b", {}, threading.Event())
        assert isinstance(execute_claimed(context, ingredients), StepDone)


class Speaks:
    """A runner whose steps print which attempt they are, tell how far they are, and so end."""

    name = "speaks"

    def __init__(self, *ends):
        self.ends = list(ends)

    def run(self, job):
        job.log.write_text(f"attempt {job.attempt}\n")
        told = json.loads(job.executor_input.read_bytes())["progress"]
        Path(told).write_text('{"seconds": 1, "part": 1, "total": 2}\n')
        return self.ends.pop(0)

    def image_digest(self, step):
        return None


def test_every_attempt_keeps_its_own_record_and_log(tmp_path):
    work, store = tmp_path / "work", open_store(str(tmp_path / "store"))
    work.mkdir()
    runner = Speaks(Ended(1, EXITED, 0), Ended(-9, CANCELLED, 0))
    context = Context(runner, Cache(store, work), work, "a-run", {}, threading.Event())
    events = []
    ingredients = ingredients_of(STEP, {}, "0" * 64)
    failed = execute_claimed(context, ingredients, events.append)
    cancelled = execute_claimed(context, ingredients, events.append)
    assert [event.attempt for event in events if isinstance(event, StepStarted)] == [1, 2]
    assert failed.record == "runs/a-run/steps/release.json"
    assert cancelled == StepSkipped(
        "release", "the run was cancelled", cancelled=True, record="runs/a-run/steps/release.2.json"
    )
    assert store.get("runs/a-run/logs/release.log") == b"attempt 1\n"
    assert store.get("runs/a-run/logs/release.2.log") == b"attempt 2\n"
    record = json.loads(store.get(cancelled.record))
    (statement,) = record["predicate"]["runDetails"]["byproducts"]
    assert statement["content"]["outcome"]["result"] == "cancelled"
    assert record["predicate"]["buildDefinition"]["internalParameters"]["component"] == "publish"
