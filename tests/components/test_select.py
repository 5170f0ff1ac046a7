import json
import re
from dataclasses import asdict, astuple, replace
from pathlib import Path

import pytest

from components.artifacts.data_use import REPORT, DataUse, Loss
from components.artifacts.decision import Decision
from components.artifacts.empty import empty_reason
from components.artifacts.group_result import GroupResult
from components.artifacts.lite_model import LiteModelInfo
from components.contract.errors import UserError
from components.contract.execution import OK, execute
from components.contract.executor_input import Call
from components.contract.interface import interface_of
from components.contract.tree import tree_of
from components.measure.paired import Answers
from components.statistics.bootstrap import Interval
from pipelines.sources.snapshot import snapshot, stage
from tests.components.flat import ingest, select
from tests.data.images import photo
from tests.data.variants import Variant, write_variants

TEACHER = Variant("teacher", noise=0.5, size_bytes=900_000, p50_ms=40.0)
STUDENT = Variant("student", noise=0.52, size_bytes=80_000, seed=0)
TINY = Variant("tiny", noise=0.53, size_bytes=20_000, seed=0)
POOR = Variant("poor", noise=2.0, size_bytes=10_000)


def run(root, variants, *, task="verification", devices=("host",), groups=None, **changes):
    """Write the trees of ``variants``, run select over them and return its folder."""
    written = write_variants(root / "in", variants, task=task, devices=devices, groups=groups)
    out = root / "out"
    out.mkdir()
    arguments = {
        "candidates": [variant.name for variant in variants[1:]],
        "task": task,
        "metric": "auc" if task == "verification" else "accuracy",
        "drop": 0.05,
        "size_mb": 0.5,
        "latency_ms": 10.0,
        "resamples": 200,
        **changes,
    }
    select(
        **{**written.inputs(), **arguments},
        decision=out / "decision",
        winner=out / "winner",
        winner_evaluation=out / "evaluation",
        page=out / "page.html",
        metrics=out / "metrics.json",
    )
    return out


def decided(root, variants, **changes):
    return Decision.read(run(root, variants, **changes) / "decision")


def verdicts(decision):
    return {one.name: one.verdict for one in decision.variants}


@pytest.mark.parametrize("task", ["verification", "classification"])
def test_the_smallest_that_keeps_the_budgets_wins(tmp_path, task):
    out = run(tmp_path, [TEACHER, STUDENT, TINY, POOR], task=task)
    decision = Decision.read(out / "decision")
    assert decision.winner == "tiny"
    assert verdicts(decision) == {
        "teacher": "reference", "student": "kept", "tiny": "winner", "poor": "over-budget",
    }  # fmt: skip
    assert LiteModelInfo.read(out / "winner").size_bytes == 20_000
    assert tree_of(out / "winner").digest == tree_of(tmp_path / "in/2/lite").digest
    assert tree_of(out / "evaluation").digest == tree_of(tmp_path / "in/2/evaluation").digest
    assert json.loads((out / "metrics.json").read_bytes())["winner"] == "tiny"
    assert "tiny" in (out / "page.html").read_text()


CONTROL = Variant("control-of-student", noise=0.9, size_bytes=80_000, seed=0)
PAIR = {"candidates": ["student", "tiny"], "controls": {"student": "control-of-student"}}


@pytest.mark.parametrize("task", ["verification", "classification"])
def test_a_control_is_shown_beside_its_student_and_cannot_win(tmp_path, task):
    """It keeps every budget and would be the smallest."""
    control = replace(CONTROL, size_bytes=1_000, noise=1.2)
    out = run(tmp_path, [TEACHER, STUDENT, TINY, control], task=task, **PAIR)
    decision = Decision.read(out / "decision")
    assert decision.winner == "tiny"
    row, student = decision.variant("control-of-student"), decision.variant("student")
    assert (row.verdict, row.candidate, row.on_front) == ("comparison", False, False)
    assert row.reason == "the network of student trained on labels alone"
    assert student.control == "control-of-student"
    assert student.gain.value == pytest.approx(student.metric.value - row.metric.value)
    assert student.gain.low < student.gain.value < student.gain.high
    assert decision.variant("tiny").gain is None
    assert decision.scalars()["candidates"] == 2
    assert any(note.startswith("student against control-of-student") for note in decision.notes)
    page = (out / "page.html").read_text()
    assert "over control-of-student" in page
    assert ">comparison<" in page


def test_the_difference_to_a_control_is_paired_and_has_the_sign_of_a_gain(tmp_path):
    """The same answers differ by nothing, whatever the resample; worse ones by less than nothing."""
    same = replace(STUDENT, name="control-of-student")
    decision = decided(tmp_path / "same", [TEACHER, STUDENT, TINY, same], **PAIR)
    assert astuple(decision.variant("student").gain) == (0, 0, 0)
    (note,) = (note for note in decision.notes if "against" in note)
    assert "not certainly better" in note
    for noise, sign, words in ((2.0, 1, "better by"), (0.01, -1, "Leave the teacher away")):
        other = replace(CONTROL, noise=noise)
        student = replace(STUDENT, noise=1.0)
        decision = decided(tmp_path / str(noise), [TEACHER, student, TINY, other], **PAIR, drop=0.9)
        gain = decision.variant("student").gain
        assert sign * gain.low > 0
        assert sign * gain.high > 0
        assert any(words in note for note in decision.notes)


def test_a_control_that_crashed_gives_no_difference(tmp_path):
    crashed = replace(CONTROL, crashed=True)
    decision = decided(tmp_path, [TEACHER, STUDENT, TINY, crashed], **PAIR)
    assert decision.variant("student").control == "control-of-student"
    assert decision.variant("student").gain is None
    assert decision.variant("control-of-student").verdict == "failed"


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    variants = [TEACHER, STUDENT, TINY]
    one, other = (run(tmp_path / name, variants) for name in ("one", "other"))
    assert tree_of(one).digest == tree_of(other).digest


def test_the_order_of_the_variants_does_not_change_the_outcome(tmp_path):
    one = decided(tmp_path / "one", [TEACHER, STUDENT, TINY, POOR])
    other = decided(tmp_path / "other", [TEACHER, POOR, TINY, STUDENT])
    assert one.winner == other.winner
    assert {r.name: r for r in one.variants} == {r.name: r for r in other.variants}


def test_the_fastest_wins_where_latency_is_what_counts(tmp_path):
    quick = replace(STUDENT, name="quick", p50_ms=0.05)
    decision = decided(tmp_path, [TEACHER, TINY, quick], minimize="latency")
    assert decision.winner == "quick"


def test_impossible_budgets_are_an_answer(tmp_path):
    out = run(tmp_path, [TEACHER, STUDENT, TINY, POOR], drop=0.0, size_mb=0.001)
    decision = Decision.read(out / "decision")
    assert decision.winner is None
    assert [miss.name for miss in decision.near_misses] == ["tiny", "poor", "student"]
    assert decision.near_misses[0].excess == pytest.approx(19)  # 20 kB for 1 kB
    assert empty_reason(out / "winner") == empty_reason(out / "evaluation") == decision.reason
    assert [path.name for path in (out / "winner").iterdir()] == ["none.json"]
    assert "Nothing keeps every budget" in (out / "page.html").read_text()


def test_a_crash_or_a_disturbance_loses_with_its_reason(tmp_path):
    variants = [
        TEACHER,
        STUDENT,
        replace(TINY, name="shaken", p50_ms=12.0, disturbed=True),
        replace(TINY, name="timed", size_bytes=15_000, benchmark_crashed=11),
        replace(TINY, name="asked", size_bytes=14_000, crashed=6),
    ]
    decision = decided(tmp_path, variants)
    assert decision.winner == "student"
    assert decision.variant("shaken").verdict == "undecided"
    assert decision.variant("shaken").reason.startswith("disturbed on host: ")
    assert decision.variant("timed").reason == "crashed on host: signal 11 (SIGSEGV)"
    assert decision.variant("asked").reason.startswith("crashed while it was evaluated: signal 6")
    assert decision.variant("asked").metric is None


def test_what_was_ended_from_outside_is_undecided(tmp_path):
    variants = [
        TEACHER,
        STUDENT,
        replace(TINY, name="timed", size_bytes=15_000, benchmark_crashed=9),
        replace(TINY, name="asked", size_bytes=14_000, crashed=9),
    ]
    decision = decided(tmp_path, variants)
    assert decision.winner == "student"
    assert verdicts(decision)["timed"] == verdicts(decision)["asked"] == "undecided"
    assert decision.variant("timed").reason == (
        "ended from outside on host: signal 9 (SIGKILL), twice"
    )
    assert decision.variant("asked").reason == (
        "was ended from outside while it was evaluated: signal 9 (SIGKILL)"
    )


def test_a_disturbed_latency_within_the_budget_wins_and_the_page_says_so(tmp_path):
    out = run(tmp_path, [TEACHER, STUDENT, replace(TINY, disturbed=True)])
    decision = Decision.read(out / "decision")
    assert decision.winner == "tiny"
    text = (out / "page.html").read_text()
    assert "its latency on host keeps the budget although it was disturbed" in text


@pytest.mark.parametrize("task", ["verification", "classification"])
def test_constant_answers_never_win_however_loose_the_budget(tmp_path, task):
    constant = Variant("constant", constant=True, size_bytes=1_000)
    decision = decided(tmp_path, [TEACHER, STUDENT, constant], task=task, drop=1.0)
    assert decision.winner == "student"
    assert decision.variant("constant").verdict == "failed"
    assert decision.variant("constant").reason == "answers the same to every image"


def test_without_the_reference_nothing_can_be_told(tmp_path):
    out = run(tmp_path, [replace(TEACHER, crashed=11), STUDENT])
    decision = Decision.read(out / "decision")
    assert decision.winner is None
    assert decision.baseline is None
    assert decision.variant("student").verdict == "undecided"
    assert "No reference." in (out / "page.html").read_text()


def test_a_reference_that_pixels_beat_is_called_out(tmp_path):
    weak = replace(TEACHER, noise=3.0)
    out = run(tmp_path / "weak", [weak, STUDENT])
    baseline = Decision.read(out / "decision").baseline
    assert not baseline.reference_above
    assert "not certainly better than raw-pixel cosine" in baseline.note
    assert "A weak reference." in (out / "page.html").read_text()
    strong = run(tmp_path / "strong", [TEACHER, STUDENT])
    assert Decision.read(strong / "decision").baseline.reference_above
    assert "A weak reference." not in (strong / "page.html").read_text()


def test_every_device_has_to_keep_the_latency(tmp_path):
    written = write_variants(tmp_path / "in", [TEACHER, TINY], devices=["host", "pi5"])
    content = json.loads((written.benchmarks[3] / "benchmark.json").read_bytes())
    content["summary"]["p50_ms"] = {"value": 12.0, "low": 11.0, "high": 13.0}
    (written.benchmarks[3] / "benchmark.json").write_text(json.dumps(content))
    out = tmp_path / "out"
    out.mkdir()
    select(
        **written.inputs(),
        decision=out / "decision",
        winner=out / "winner",
        winner_evaluation=out / "evaluation",
        page=out / "page.html",
        metrics=out / "metrics.json",
        candidates=["tiny"],
        task="verification",
        metric="auc",
        drop=0.05,
        latency_ms=10.0,
        resamples=50,
    )
    tiny = Decision.read(out / "decision").variant("tiny")
    assert tiny.reason == "p50 on pi5 up to 13 ms > 10 ms"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"candidates": ["studnet"]}, "candidate 'studnet'"),
        ({"names": ["teacher"]}, "given 2 models for 1 names"),
        ({"names": ["teacher", "teacher"]}, "two variants are called 'teacher'"),
        ({"devices": []}, "nothing was measured"),
        ({"devices": [], "latency_ms": None, "benchmarks": []}, None),
        ({"metric": "acuracy"}, "no metric 'acuracy'"),
        ({"task": "classification"}, "not for classification"),
    ],
)
def test_what_does_not_fit_is_the_users_fault(tmp_path, changes, what):
    if "task" in changes:
        written = write_variants(tmp_path / "w", [TEACHER, STUDENT])
        changes = {**written.inputs(), **changes}
    if what is None:
        assert decided(tmp_path, [TEACHER, STUDENT], **changes).winner == "student"
        return
    with pytest.raises(UserError, match=what):
        run(tmp_path, [TEACHER, STUDENT], **changes)


def test_a_benchmark_of_another_file_is_our_own_fault(tmp_path):
    written = write_variants(tmp_path, [TEACHER, STUDENT])
    swapped = {**written.inputs(), "benchmarks": written.benchmarks[::-1]}
    with pytest.raises(AssertionError, match="another file"):
        run(tmp_path / "run", [TEACHER, STUDENT], **swapped)


def test_it_runs_behind_the_protocol(tmp_path):
    written = write_variants(tmp_path / "in", [TEACHER, TINY])
    interface = interface_of("select")
    given = written.inputs()
    outputs = {port.name: Path(tmp_path, "out", port.name) for port in interface.outputs}
    call = Call(
        interface=interface,
        inputs={port.name: given[port.name] for port in interface.inputs},
        input_digests={},
        input_uris={},
        outputs=outputs,
        output_uris={},
        statement=tmp_path / "statement",
        parameters=interface.complete(
            {
                "names": written.names,
                "devices": written.devices,
                "candidates": ["tiny"],
                "task": "verification",
                "metric": "auc",
                "drop": 0.05,
                "resamples": 50,
            },
            where="select",
        ),
        output_file=tmp_path / "executor_output.json",
    )
    assert execute(call) == OK
    metadata = json.loads(call.output_file.read_bytes())["artifacts"]["metrics"]["artifacts"][0]
    assert metadata["metadata"]["winner"] == "tiny"


def test_it_is_the_gate_that_stops_constant_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(Answers, "useless", None)
    constant = Variant("constant", constant=True, size_bytes=1_000)
    assert decided(tmp_path, [TEACHER, constant], drop=1.0).winner == "constant"


def test_it_is_the_upper_end_that_decides(tmp_path):
    # As good as the teacher within the noise of twelve identities, but not certainly.
    lucky = replace(TINY, name="lucky", noise=0.75, seed=5)
    drop = decided(tmp_path / "wide", [TEACHER, lucky], drop=1.0).variant("lucky").drop
    assert drop.value < drop.high
    between = (drop.value + drop.high) / 2
    decision = decided(tmp_path / "tight", [TEACHER, lucky], drop=max(between, 0.0))
    assert decision.winner is None
    assert "may exceed" in decision.variant("lucky").reason


def test_what_became_of_the_images_stands_on_the_page(tmp_path):
    lost = (Loss("layout", 324, ("a/b/<1>.png (layout: lies deeper)",)),)
    use = DataUse(360, 36, lost, ("324 of 360 images (90 %) are not used: 324 layout",))
    report = tmp_path / "ingest"
    report.mkdir()
    with pytest.raises(UserError, match="is no report of ingest"):
        run(tmp_path / "absent", [TEACHER, STUDENT], data=report)
    (report / REPORT).write_text(json.dumps({"use": asdict(use)}))
    out = run(tmp_path / "told", [TEACHER, STUDENT], data=report)
    assert Decision.read(out / "decision").images == use
    page = (out / "page.html").read_text()
    assert "Look at the data." in page
    assert f"{use.warnings[0]}." in page
    assert "36 of 360 images are used; left out: 324 layout." in page
    assert "324, such as a/b/&lt;1&gt;.png (layout: lies deeper)." in page


def test_near_duplicates_that_ingest_found_are_warned_of_on_the_page(tmp_path):
    for person in range(4):
        folder = tmp_path / "data" / f"p{person}"
        folder.mkdir(parents=True)
        for number in range(12):
            photo(12 * person + number).save(folder / f"{number}.png")
    photo(0).resize((48, 36)).save(tmp_path / "data" / "p3" / "again.png")
    stage(snapshot(str(tmp_path / "data")), tmp_path / "source")
    outputs = {name: tmp_path / name for name in ("dataset", "sealed", "report")}
    settings = {"task": "verification", "split_by": "image", "height": 8, "width": 8}
    ingest(tmp_path / "source", **outputs, **settings)
    out = run(tmp_path / "told", [TEACHER, STUDENT], data=outputs["report"])
    page = (out / "page.html").read_text()
    assert "Look at the data." in page
    assert "1 pair of images shows under two labels almost the same: p0/0.png" in page
    assert "p3/again.png" in page


def of_groups(**auc):
    """Groups by name: the lower end of an area under the curve, or None for one too small."""
    found = {}
    for name, low in auc.items():
        metrics = {} if low is None else {"auc": Interval(low + 0.01, low, low + 0.02)}
        few = {"auc": "3 identities; 5 are needed for an interval"} if low is None else {}
        found[name] = GroupResult(60, 6, metrics, few)
    return found


def test_floors_hold_for_each_group_and_the_worst_one_is_named(tmp_path):
    groups = {
        "teacher": of_groups(Greek=0.97, Latin=0.97),
        "student": of_groups(Greek=0.96, Latin=0.95),
        "tiny": of_groups(Greek=0.97, Latin=0.85),
    }
    board = [TEACHER, STUDENT, TINY]
    floors = {"at_least": {"auc": 0.9}}
    assert decided(tmp_path / "whole", board, groups=groups, **floors).winner == "tiny"
    out = run(tmp_path / "each", board, groups=groups, per="group", **floors)
    decision = Decision.read(out / "decision")
    assert decision.winner == "student"
    assert decision.variant("tiny").reason == (
        "ROC-AUC of the group 'Latin' 0.860 (0.850 to 0.870) is below 0.900"
    )
    assert decision.variant("student").groups == groups["student"]
    page = (out / "page.html").read_text()
    assert "at least ROC-AUC 0.900, in all and for each group" in page
    assert "student on 2 groups, the worst first" in page
    assert page.index(">Latin</th>") < page.index(">Greek</th>")


def test_a_group_too_small_to_measure_leaves_all_undecided_and_is_said(tmp_path):
    groups = dict.fromkeys(("teacher", "student"), of_groups(Greek=0.97, Lao=None))
    board, floors = [TEACHER, STUDENT], {"at_least": {"auc": 0.9}}
    out = run(tmp_path / "each", board, groups=groups, per="group", **floors)
    decision = Decision.read(out / "decision")
    assert decision.winner is None
    assert decision.variant("student").verdict == "undecided"
    assert "for the group 'Lao' (3 identities" in decision.reason
    page = (out / "page.html").read_text()
    assert "none: 3 identities; 5 are needed for an interval" in page
    whole = decided(tmp_path / "whole", board, groups=groups, **floors)
    assert whole.winner == "student"
    assert whole.notes == (
        "1 of 2 groups could not be measured: Lao (3 identities; 5 are needed for an interval)",
    )


def test_of_many_groups_the_page_has_the_worst_and_the_decision_all(tmp_path):
    many = of_groups(**{f"g{number:03d}": 0.5 + number / 1000 for number in range(300)})
    out = run(tmp_path, [TEACHER, STUDENT], groups={"student": many})
    assert len(Decision.read(out / "decision").variant("student").groups) == 300
    page = (out / "page.html").read_text()
    assert "student on 300 groups, the worst first" in page
    assert "the worst 20 are shown" in page
    assert len(re.findall(r">g\d{3}</th>", page)) == 20
    assert ">g019" in page
    assert ">g020" not in page


def test_floors_for_groups_that_the_data_does_not_tell_of_are_refused(tmp_path):
    floors = {"at_least": {"auc": 0.9}}
    with pytest.raises(UserError, match="tells of no groups") as caught:
        decided(tmp_path / "refused", [TEACHER, STUDENT], per="group", **floors)
    assert "remove per: group" in caught.value.fix
    assert decided(tmp_path / "fixed", [TEACHER, STUDENT], **floors).winner == "student"
    with pytest.raises(UserError, match="no metric 'acu'"):
        decided(tmp_path / "unknown", [TEACHER, STUDENT], at_least={"acu": 0.9})


def test_a_student_that_surpasses_its_teacher_shows_an_undertrained_teacher(tmp_path):
    weak = replace(TEACHER, noise=1.2)
    steps = ({"component": "train"}, {"component": "distill", "backbone": "conv"})
    student = replace(STUDENT, noise=0.4, steps=steps)
    (note,) = decided(tmp_path / "weak", [weak, student]).notes
    assert note.startswith("better than teacher, for certain: student by 0.")
    assert "the teacher is undertrained" in note
    assert decided(tmp_path / "other", [weak, replace(STUDENT, noise=0.4)]).notes == ()
