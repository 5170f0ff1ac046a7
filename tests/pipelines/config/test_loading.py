"""The configuration: what is read comes back, and every fault is told with its place and fix."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.contract.errors import UserError
from pipelines.compress import graph_of
from pipelines.config.configuration import Config
from pipelines.config.devices import HostDevice
from pipelines.config.loading import load
from pipelines.config.sections import ImportedTeacher, TrainedTeacher
from pipelines.config.yaml_file import read

EXAMPLES = Path(__file__).parents[3] / "pipelines" / "examples"

GOOD = """\
name: faces
task: verification
data: ./faces
image: {height: 112, width: 92, channels: 1}
teacher: {backbone: resnet50, embedding: 128, epochs: 30}
variants:
  student: [{distill: &student {backbone: mobilenet_v2, alpha: 0.35, epochs: 60}}]
  student-int8: [{distill: *student}, {quantize: {scheme: int8}}]
  slim-int8:
    - distill: *student
    - prune: {method: weights, sparsity: 0.5}
    - quantize: {scheme: int8}
devices: [host]
budgets: {size_mb: 5, latency_ms: 100, metric: auc, drop: 0.01}
minimize: size
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "faces.yaml"
    path.write_text(text)
    return path


def fault(folder: Path, text: str) -> UserError:
    with pytest.raises(UserError) as caught:
        load(written(folder, text))
    return caught.value


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_the_configuration_of_the_documentation(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD))
    assert isinstance(config.teacher, TrainedTeacher)
    assert config.teacher.parameters == {"backbone": "resnet50", "embedding": 128, "epochs": 30}
    assert list(config.variants) == ["student", "student-int8", "slim-int8"]
    assert [step.component for step in config.variants["slim-int8"]] == [
        "distill",
        "prune",
        "quantize",
    ]
    assert config.variants["student"][0] == config.variants["slim-int8"][0], "an anchor"
    assert config.devices == (HostDevice.model_validate({"kind": "host"}),)
    assert config.device_names == ("host",)


@pytest.mark.parametrize(
    "name", ["digits", "faces", "fashion", "omniglot", "resnet8", "everything", "photographs"]
)
def test_examples_are_valid(name: str) -> None:
    assert load(EXAMPLES / f"{name}.yaml").name == name


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    teacher = "{model: ../face.keras, normalization: {mean: 0, scale: 255}}"
    text = GOOD.replace("{backbone: resnet50, embedding: 128, epochs: 30}", teacher)
    path = written(folder, text + "store: st\n")
    monkeypatch.chdir(tmp_path)
    config = load(path.relative_to(tmp_path))
    assert config.data == str(folder / "faces")
    assert config.store == str(folder / "st")
    assert isinstance(config.teacher, ImportedTeacher)
    assert config.teacher.model == str(tmp_path / "face.keras")
    assert config.relocated(data="other", store="gs://b/p").data == str(tmp_path / "other")
    assert config.relocated(store="gs://b/p").store == "gs://b/p"


@pytest.mark.parametrize("place", ["gs://bucket/faces", "package:sklearn/datasets/data/x.csv"])
def test_addresses_are_no_paths(tmp_path: Path, place: str) -> None:
    assert load(written(tmp_path, changed("./faces", place))).data == place


def test_a_number_may_be_written_without_a_point(tmp_path: Path) -> None:
    config = load(written(tmp_path, changed("drop: 0.01", "drop: 1e-3")))
    assert config.budgets.drop == 0.001


def test_floors_are_taken_as_they_are_written(tmp_path: Path) -> None:
    floors = "drop: 0.01, at_least: {auc: 0.95, tar: 1}, per: group}"
    config = load(written(tmp_path, changed("drop: 0.01}", floors)))
    assert config.budgets.at_least == {"auc": 0.95, "tar": 1}
    steps = {step.name: step for step in graph_of(config).steps}
    ingest, select = steps["ingest"], steps["select"]
    assert ingest.parameters["groups_needed"] is True
    assert select.parameters["at_least"] == {"auc": 0.95, "tar": 1}
    assert select.parameters["per"] == "group"
    plain = {step.name: step for step in graph_of(load(written(tmp_path, GOOD))).steps}
    assert plain["ingest"].parameters["groups_needed"] is False
    assert plain["select"].parameters["at_least"] is None


def test_pairs_are_refused_where_no_images_are_compared(tmp_path: Path) -> None:
    text = changed("task: verification", "task: classification\npairs: ./pairs.txt")
    text = text.replace("metric: auc", "metric: accuracy").replace("embedding: 128, ", "")
    error = fault(tmp_path, text)
    assert "pairs: classification compares no two images" in error.what
    for fixed in (
        text.replace("pairs: ./pairs.txt\n", ""),
        changed("data:", "pairs: ./p.txt\ndata:"),
    ):
        load(written(tmp_path, fixed))


def test_ingest_knows_what_the_metric_of_the_budget_needs(tmp_path: Path) -> None:
    def needs(metric: str, more: str = "") -> tuple[object, object]:
        text = changed("metric: auc", f"metric: {metric}") + more
        given = graph_of(load(written(tmp_path, text))).by_name["ingest"].parameters
        return given["impostors_needed"], given["ways_needed"]

    assert needs("auc") == (False, None)
    assert needs("tar_1e3") == (True, None)
    assert needs("one_shot") == (False, 20)
    assert needs("one_shot", "\nevaluate: {ways: 5}") == (False, 5)


@pytest.mark.parametrize(
    ("given", "what", "fix", "fixed"),
    [
        ("at_least: {acu: 0.9}", "no metric 'acu'", "did you mean 'auc'?", "at_least: {auc: 0.9}"),
        ("at_least: {eer: 0.1}", "the better the lower", "auc, accuracy", "at_least: {auc: 0.9}"),
        ("per: group", "there are none", "add at_least: {auc: 0.9}",
         "at_least: {auc: 0.9}, per: group"),
        ("at_least: {auc: 95}", "less than or equal to 1", "", "at_least: {auc: 0.95}"),
    ],
)  # fmt: skip
def test_floors_that_cannot_be_are_told_with_their_fix(
    tmp_path: Path, given: str, what: str, fix: str, fixed: str
) -> None:
    found = fault(tmp_path, changed("drop: 0.01}", f"drop: 0.01, {given}}}"))
    assert what in found.what
    assert fix in f"{found.what} {found.fix}"
    load(written(tmp_path, changed("drop: 0.01}", f"drop: 0.01, {fixed}}}")))


def test_the_metric_follows_the_task(tmp_path: Path) -> None:
    text = changed(", metric: auc", "")
    assert load(written(tmp_path, text)).metric == "auc"
    text = text.replace("task: verification", "task: classification")
    assert load(written(tmp_path, text)).metric == "accuracy"


def test_devices_with_other_threads_have_other_names(tmp_path: Path) -> None:
    config = load(written(tmp_path, changed("[host]", "[host, {kind: host, threads: 2}]")))
    assert config.device_names == ("host-1-thread", "host-2-threads")


# what is wrong, as it is written; where; parts of what is said; parts of the fix
FAULTS = {
    "misspelt key": ("minimize: size", "minimise: size", 15, "no key 'minimise'", "'minimize'"),
    "misspelt nested key": (
        "size_mb", "size_mp", 14, "budgets: there is no key 'size_mp'", "did you mean 'size_mb'?",
    ),
    "too small": ("size_mb: 5", "size_mb: -5", 14, "budgets.size_mb: must be greater than 0 (got -5)",
                  "budgets.size_mb"),
    "wrong type": ("height: 112", "height: tall", 4, "image.height: must be a valid integer (got 'tall')",
                   "image.height"),
    "true is no number": ("height: 112", "height: yes", 4, "image.height: must be a valid integer", ""),
    "not one of": ("task: verification", "task: verify", 2, "must be 'verification' or 'classification'",
                   "did you mean 'verification'?"),
    "missing": ("data: ./faces\n", "", 1, "data is missing", "add the key data, as in data: ./images"),
    "nothing given": ("data: ./faces", "data:", 3, "data: must be a valid string (got None)", "data"),
    "section that is no mapping": (
        "budgets: {size_mb: 5, latency_ms: 100, metric: auc, drop: 0.01}", "budgets: 5", 14,
        "budgets: must be a mapping", "budgets",
    ),
    "misspelt parameter": ("embedding: 128", "embeding: 128", 5, "teacher: train has no parameter 'embeding'",
                           "did you mean 'embedding'?"),
    "parameter of another component": ("sparsity: 0.5", "scheme: int8", 11,
                                       "variants.slim-int8[1].prune: prune has no parameter 'scheme'",
                                       "sparsity"),
    "parameter of wrong type": ("sparsity: 0.5", "sparsity: half", 11,
                                "variants.slim-int8[1].prune.sparsity: must be a valid number (got 'half')",
                                "variants.slim-int8[1].prune.sparsity"),
    "parameter out of range": ("sparsity: 0.5", "sparsity: 1.5", 11,
                               "variants.slim-int8[1].prune.sparsity: must be less than 1 (got 1.5)", ""),
    "parameter of another method": ("method: weights, sparsity: 0.5", "method: channels, sparsity: 0.5", 11,
                                    "sparsity: method: weights or tfmot alone has it, and method is channels",
                                    "remove sparsity there, or write method: weights"),
    "target of another method": ("method: weights, sparsity: 0.5", "remove: 0.5", 11,
                                 "remove: method: channels or layers alone has it, and method is weights",
                                 "write method: channels"),
    "channels after weights": ("    - quantize: {scheme: int8}\n",
                               "    - prune: {method: channels}\n    - quantize: {scheme: int8}\n", 12,
                               "zeros of an earlier step would be lost",
                               "move the step that prunes weights behind this one"),
    "share of everything": ("method: weights, sparsity: 0.5", "method: layers, remove: 1", 11,
                            "remove: must be less than 1", ""),
    "fraction of an epoch": ("epochs: 30", "epochs: 3.5", 5, "teacher.epochs: must be a valid integer", ""),
    "needed parameter missing": ("student-int8: [{distill: *student}, {quantize: {scheme: int8}}]",
                                 "student-int8: [{distill: *student}, {quantize: }]", 8,
                                 "variants.student-int8[1].quantize: quantize needs the parameter 'scheme'",
                                 "add scheme: ..."),
    "what the host fills": ("epochs: 30", "trusted: true", 5, "train has no parameter 'trusted'", "model"),
    "misspelt component": ("prune:", "prun:", 11, "there is no component 'prun'", "did you mean 'prune'?"),
    "component of every path": ("{quantize: {scheme: int8}}]", "{convert: }]", 8,
                                "cannot hold 'convert': it is no step of a variant", "quantize"),
    "step that is no mapping": ("{quantize: {scheme: int8}}]", "quantize]", 8,
                                "variants.student-int8[1]: a step is one component with its parameters",
                                "{quantize: {scheme: int8}}"),
    "step of two components": ("{quantize: {scheme: int8}}]", "{quantize: {scheme: int8}, prune: {}}]", 8,
                               "a step is one component", ""),
    "empty path": ("[{distill: &student {backbone: mobilenet_v2, alpha: 0.35, epochs: 60}}]",
                   "[]\n  s: [{distill: &student {}}]", 7, "variants.student: must not be empty", ""),
    "distill is not first": ("    - distill: *student\n    - prune: {method: weights, sparsity: 0.5}\n",
                             "    - prune: {sparsity: 0.5}\n    - distill: *student\n", 11,
                             "variants.slim-int8[1]: distill makes a new model, so it comes first", "front"),
    "quantize is not last": ("    - quantize: {scheme: int8}\n",
                             "    - quantize: {scheme: int8}\n    - prune: {}\n", 12,
                             "variants.slim-int8[2]: nothing can follow quantize", "end of the path"),
    "quantized twice": ("    - quantize: {scheme: int8}\n",
                        "    - quantize_aware: {}\n    - quantize: {scheme: int8}\n", 13,
                        "variants.slim-int8[3]: quantize_aware has decided already in what the file computes",
                        "remove one of the two"),
    "zeros that TFMOT would undo": ("    - quantize: {scheme: int8}\n",
                                    "    - quantize_aware: {method: tfmot}\n", 12,
                                    "method tfmot does not keep what prune made",
                                    "method: own"),
    "cluster after quantize_aware": ("    - quantize: {scheme: int8}\n",
                                     "    - quantize_aware: {}\n    - cluster: {}\n", 12,
                                     "variants.slim-int8[2]: nothing can follow quantize_aware",
                                     "end of the path"),
    "name of a variant": ("slim-int8:", "Slim_Int8:", 9, "'Slim_Int8' is no name", "'slim-int8'"),
    "reserved name": ("slim-int8:", "teacher:", 9, "cannot be called 'teacher'", ""),
    "reserved by the sealed evaluation": ("slim-int8:", "sealed:", 9, "cannot be called 'sealed'", ""),
    "same name twice": ("slim-int8:", "student:", 9, "the key 'student' is given twice", ""),
    "name": ("name: faces", "name: My Faces", 1, "name: 'My Faces' is no name", "'my-faces'"),
    "metric": ("metric: auc", "metric: acc", 14, "verification has no metric 'acc'", "did you mean 'auc'?"),
    "metric of the other task": ("metric: auc", "metric: macro_f1", 14, "no metric 'macro_f1'", "auc"),
    "device": ("[host]", "[{kind: usb, host: pi5.lan}]", 13, "devices[0]: there is no kind of device 'usb'",
               "valid here: "),
    "device by kind alone": ("[host]", "[adb]", 13, "devices[0]: benchmark_adb needs the parameter 'serial'",
                             "add serial: ... under devices[0]"),
    "device's parameter": ("[host]", "[{kind: host, thread: 2}]", 13,
                           "devices[0]: benchmark has no parameter 'thread'", "did you mean 'threads'?"),
    "devices that are no list": ("[host]", "{kind: host}", 13, "devices: must be a list", ""),
    "device twice": ("[host]", "[host, host]", 13, "devices: one is listed twice", "threads"),
    "limit of no component": ("minimize: size", "limits: {trian: {minutes: 1}}", 15,
                              "there is no component 'trian'", "did you mean 'train'?"),
    "split": ("minimize: size", "split: {validaton: 0.1}", 15, "split: ingest has no parameter 'validaton'",
              "did you mean 'validation'?"),
    "split of everything": ("minimize: size", "split: {validation: 0.4, selection: 0.4, sealed: 0.3}", 15,
                            "take 1.1 of the data", "lower"),
    "imported and trained": ("backbone: resnet50", "model: ./face.keras", 5,
                             "teacher: there is no key 'embedding'", "normalization"),
    "imported without normalization": ("{backbone: resnet50, embedding: 128, epochs: 30}",
                                       "{model: ./face.keras}", 5, "teacher.normalization is missing", ""),
    "not a number": ("drop: 0.01", "drop: .nan", 14, "budgets.drop: must be", ""),
    "broken YAML": ("devices: [host]", "devices: [host", 14, "expected ',' or ']'", "correct the file there"),
    "code in YAML": ("data: ./faces", "data: !!python/object/apply:os.system [ls]", 3,
                     "could not determine a constructor", ""),
    "key that is no text": ("minimize: size", "3: size", 15, "a key must be text", "quotes"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_place_and_fix(
    tmp_path: Path, case: tuple[str, str, int, str, str]
) -> None:
    old, new, line, what, fix = case
    error = fault(tmp_path, changed(old, new))
    assert error.what.startswith(f"{tmp_path / 'faces.yaml'}:{line}:"), error
    assert what in error.what
    assert fix in error.fix
    assert "\n" not in error.what


@pytest.mark.parametrize(
    ("key", "nothing"),
    [
        *((key, "") for key in ("name", "task", "data", "image", "teacher", "variants")),
        *((key, "5") for key in ("image", "teacher", "variants")),
    ],
)
def test_a_needed_key_is_told_with_a_line_that_can_be_written(
    tmp_path: Path, key: str, nothing: str
) -> None:
    begin = GOOD.index(f"{key}:")
    end = begin + re.search(r"\n(?! )|$", GOOD[begin:]).start()
    error = fault(tmp_path, GOOD[:begin] + (f"{key}: {nothing}" if nothing else "") + GOOD[end:])
    _, line = error.fix.split(", as in ")
    classes = GOOD.replace("task: verification", "task: classification").replace("auc", "accuracy")
    text = classes if key == "task" else GOOD
    begin = text.index(f"{key}:")
    end = begin + re.search(r"\n(?! )|$", text[begin:]).start()
    load(written(tmp_path, text[:begin] + line + text[end:]))


@pytest.mark.parametrize("given", ["", ", normalization: 255", ", normalization: {mean: 0}"])
def test_how_an_imported_teacher_sees_pixels_is_told_with_an_example(
    tmp_path: Path, given: str
) -> None:
    trained = "{backbone: resnet50, embedding: 128, epochs: 30}"
    said = fault(tmp_path, changed(trained, f"{{model: ./m.keras{given}}}"))
    assert "teacher.normalization" in said.what
    _, line = said.fix.split(", as in ")
    teacher = f"{{model: ./m.keras, {line}}}"
    if "mean" in given:
        teacher = f"{{model: ./m.keras, normalization: {{mean: 0, {line}}}}}"
    load(written(tmp_path, changed(trained, teacher)))


def test_classes_cannot_be_split_by_identity(tmp_path: Path) -> None:
    text = changed("task: verification", "task: classification")
    text = text.replace("metric: auc", "metric: accuracy") + "split: {by: identity}\n"
    assert "split.by" in fault(tmp_path, text).what


def test_classification_takes_no_cap_on_the_images_that_judge(tmp_path: Path) -> None:
    text = changed("task: verification", "task: classification")
    text = text.replace("metric: auc", "metric: accuracy")
    error = fault(tmp_path, text + "split: {evaluation_images: 50}\n")
    assert "split.evaluation_images: classification is measured on all images" in error.what
    assert error.fix == "remove evaluation_images"
    path = tmp_path / "removed.yaml"
    path.write_text(text)
    load(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b"- a\n- b\n", "holds a list, where a mapping"),
        (b"faces", "holds a str"),
        (b"name: \xff\xfe", "is not UTF-8 text"),
        (b"name: a\x07", "special characters are not allowed"),
        (b"a: 1\n---\nb: 2\n", "but found another document"),
        (b"#" * (1 << 21), "is larger than a configuration"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=what):
        load(path)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("!!int x", "this is no int that can be read"),
        ("!!bool x", "this is no bool that can be read"),
        ("!!timestamp x", "this is no timestamp that can be read"),
        ("2001-13-45", "this is no timestamp that can be read"),
        ("9" * 5000, "this is no int that can be read"),
        ("0x" + "f" * 5000, "this is no int that can be read"),
        (r'"\ud800"', "this is no str that can be read"),
        ("[" * 5000 + "]" * 5000, "this is nested deeper than any configuration"),
        ("{a: " * 5000 + "}" * 5000, "this is nested deeper than any configuration"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
    ],
)
def test_a_value_that_yaml_cannot_make(tmp_path: Path, value: str, what: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"name: x\nsplit:\n  by: {value}\n")
    with pytest.raises(UserError) as caught:
        load(path)
    assert caught.value.what.startswith(f"{path}:3:")
    assert what in caught.value.what


def test_merges_of_merges_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 12)]
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match="there is no key 'a0'"):
        load(path)


def test_what_is_merged_may_be_written_over_and_not_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: &a {k: 1, l: 1}\nb: &b {<<: *a, k: 2}\nc: {<<: *b, l: 3}\n")
    assert read(path).value["c"] == {"k": 2, "l": 3}
    path.write_text("a: &a {<<: {}, k: 1, k: 2}\nc: {<<: *a}\n")
    with pytest.raises(UserError, match="the key 'k' is given twice"):
        read(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no configuration") as caught:
        load(tmp_path / "none.yaml")
    assert caught.value.fix.startswith("write one with: slimline init")
    with pytest.raises(UserError, match="cannot read"):
        load(tmp_path)


def test_conversion_is_configured_for_every_file(tmp_path: Path) -> None:
    def given(more: str) -> set[tuple[object, object]]:
        steps = graph_of(load(written(tmp_path, GOOD + more))).steps
        every = [step.parameters for step in steps if step.component == "convert"]
        assert len(every) > 1
        return {(one["repack"], one["metadata"]) for one in every}

    assert given("") == {(True, False)}
    assert given("\nconvert: {repack: false}\n") == {(False, False)}
    with pytest.raises(UserError, match="repak") as caught:
        load(written(tmp_path, GOOD + "\nconvert: {repak: false}\n"))
    assert "repack" in caught.value.fix
    with pytest.raises(UserError, match=r"convert\.metadata"):
        load(written(tmp_path, GOOD + "\nconvert: {metadata: 3}\n"))
    config = load(written(tmp_path, GOOD))
    assert load(written(tmp_path, GOOD + "\nconvert: {}\n")).digest == config.digest
    assert load(written(tmp_path, GOOD + "\nconvert: {repack: false}\n")).digest != config.digest


def test_nothing_can_be_changed(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD))
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="frozen"):
        config.budgets.drop = 1.0  # pyright: ignore[reportAttributeAccessIssue]


def test_the_digest_is_of_what_is_configured_and_not_of_places(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD))
    assert config.relocated(data="elsewhere", store="elsewhere").digest == config.digest
    other = load(written(tmp_path, changed("epochs: 30", "epochs: 31")))
    assert other.digest != config.digest
    weights = GOOD.replace("backbone: resnet50", "backbone: resnet50, weights: ./w.h5")
    begun = load(written(tmp_path, weights))
    assert begun.digest != config.digest
    assert load(written(tmp_path, weights.replace("./w.h5", "./x.h5"))).digest == begun.digest


# round trip ------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True).filter(
    lambda name: name not in ("teacher", "sealed", "sealed-teacher")
)
fractions = st.floats(0.01, 0.99)
steps = {
    "distill": st.fixed_dictionaries(
        {},
        optional={
            "backbone": st.sampled_from(["conv", "mobilenet_v2"]),
            "alpha": st.floats(0.1, 2),
            "epochs": st.integers(1, 100),
            "seed": st.integers(0, 9),
        },
    ),
    "prune": st.fixed_dictionaries({}, optional={"sparsity": fractions, "threads": st.just(1)}),
    "quantize": st.fixed_dictionaries({"scheme": st.sampled_from(["float16", "dynamic", "int8"])}),
}


@st.composite
def paths(draw: st.DrawFn) -> list[dict[str, object]]:
    components = ["distill"] * draw(st.booleans())
    components += ["prune"] * draw(st.booleans())
    components += ["quantize"] * (draw(st.booleans()) or not components)
    structure = [{"prune": {"method": "channels"}}] * draw(st.integers(0, 2))
    given = [{name: draw(steps[name])} for name in components]
    first = int("distill" in components)
    return [*given[:first], *structure, *given[first:]]


teachers = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"epochs": st.integers(1, 9), "embedding": st.integers(2, 512)}
    ),
    st.fixed_dictionaries(
        {
            "model": st.just("./face.keras"),
            "normalization": st.fixed_dictionaries({"mean": st.floats(-9, 9), "scale": fractions}),
        },
        optional={"trusted": st.booleans()},
    ),
)
configurations = st.fixed_dictionaries(
    {
        "name": names,
        "task": st.just("verification"),
        "data": st.sampled_from(["./faces", "/data/faces.npz", "gs://bucket/faces"]),
        "image": st.fixed_dictionaries(
            {"height": st.integers(1, 512), "width": st.integers(1, 512)},
            optional={"channels": st.sampled_from([1, 3])},
        ),
        "teacher": teachers,
        "variants": st.dictionaries(names, paths(), min_size=1, max_size=5),
    },
    optional={
        "split": st.fixed_dictionaries({}, optional={"by": st.just("image"), "subset": st.just(9)}),
        "devices": st.sampled_from([["host"], [{"kind": "host", "processes": 2}]]),
        "budgets": st.fixed_dictionaries(
            {}, optional={"size_mb": fractions, "drop": fractions, "metric": st.just("eer")}
        ),
        "minimize": st.sampled_from(["size", "latency"]),
        "threads": st.integers(1, 64),
        "seed": st.integers(0, 2**31 - 1),
        "limits": st.dictionaries(
            st.sampled_from(["train", "prune"]), st.just({"minutes": 2.5}), max_size=2
        ),
        "convert": st.sampled_from([{"repack": False}, {"metadata": False}]),
        "evaluate": st.just({"resamples": 10}),
    },
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plain=configurations)
def test_round_trip(tmp_path: Path, plain: dict[str, object]) -> None:
    # JSON is YAML in which every text is quoted: 0e0 is a name here, a number without quotes.
    first = load(written(tmp_path, json.dumps(plain)))
    again = load(written(tmp_path, json.dumps(first.to_plain())))
    assert again == first
    assert again.digest == first.digest
    for key in ("variants", "split", "seed", "threads"):
        if key in plain:
            assert first.to_plain()[key] == plain[key]
    assert isinstance(first, Config)
