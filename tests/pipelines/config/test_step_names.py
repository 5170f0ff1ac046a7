"""Names of steps: short, readable, each different."""

from collections.abc import Mapping
from pathlib import Path

from pipelines.config.step_names import step_names
from pipelines.config.variant_tree import merged
from tests.pipelines.config.faces import INT8, STUDENT, config_of


def names_of(folder: Path, variants: Mapping[str, object]) -> list[str]:
    return list(step_names(merged(config_of(folder, variants))))


def test_a_single_step_of_its_kind_is_not_qualified(tmp_path: Path) -> None:
    names = names_of(tmp_path, {"a": [STUDENT, INT8], "b": [{"quantize": {"scheme": "float16"}}]})
    assert names == ["distill-mobilenet-v2-035", "quantize-int8", "quantize-float16"]


def test_siblings_are_named_by_what_differs(tmp_path: Path) -> None:
    short, long = ({"prune": {"sparsity": 0.5, "epochs": epochs}} for epochs in (2, 20))
    half, eighth = ({"prune": {"sparsity": sparsity}} for sparsity in (0.5, 0.125))
    names = names_of(tmp_path, {"a": [short], "b": [long], "c": [eighth]})
    assert names == [
        "prune-weights-50-epochs-2",
        "prune-weights-50-epochs-20",
        "prune-weights-12-5",
    ]
    assert names_of(tmp_path, {"a": [half], "b": [eighth]}) == [
        "prune-weights-50",
        "prune-weights-12-5",
    ]


def test_of_many_siblings_only_what_is_unusual_is_named(tmp_path: Path) -> None:
    """What most have, and else the default, needs no word."""
    plain = {"backbone": "conv", "epochs": 60}
    unusual = ({}, {"hint_weight": 1.0}, {"attention_weight": 1}, {"head": "depthwise"},
               {"embedding_weight": 0, "relational_weight": 0.5})  # fmt: skip
    variants = {f"v{n}": [{"distill": plain | one}] for n, one in enumerate(unusual)}
    assert names_of(tmp_path, variants) == [
        "distill-conv-035",
        "distill-conv-035-hint-weight-1",
        "distill-conv-035-attention-weight-1",
        "distill-conv-035-head-depthwise",
        "distill-conv-035-embedding-weight-0-relational-weight-0-5",
    ]
    aware = ({"method": method, "epochs": 2} for method in ("own", "tfmot"))
    names = names_of(tmp_path, {f"v{n}": [{"quantize_aware": one}] for n, one in enumerate(aware)})
    assert names == ["quantize-aware", "quantize-aware-method-tfmot"]


def test_structured_pruning_is_named_by_target_and_share(tmp_path: Path) -> None:
    channels = {"prune": {"method": "channels", "remove": 0.6}}
    layers = {"prune": {"method": "layers", "target": "bytes"}}
    names = names_of(tmp_path, {"a": [channels], "b": [layers], "c": [{"prune": {}}]})
    assert names == ["prune-channels-macs-60", "prune-layers-bytes-50", "prune-weights-50"]


def test_names_stay_short_and_different(tmp_path: Path) -> None:
    many = {
        f"v{epochs}": [
            {"distill": {"backbone": "resnet50", "epochs": epochs, "seed": epochs, "flip": flip}}
        ]
        for epochs, flip in ((1, True), (2, False))
    }
    many["again"] = [{"distill": {"backbone": "resnet50", "epochs": 1, "seed": 1, "flip": False}}]
    assert names_of(tmp_path, many) == [
        "distill-resnet50-flip-true",
        "distill-resnet50-epochs-2-seed-2",
        "distill-resnet50",
    ]
    alike = {f"v{seed}": [{"distill": {"alpha": 0.5, "epochs": seed % 2 + 1, "flip": seed < 2,
                                       "seed": seed}}] for seed in range(3)}  # fmt: skip
    assert names_of(tmp_path, alike) == [
        "distill-mobilenet-v2-050",
        "distill-mobilenet-v2-050-epochs-2-seed-1",
        "distill-mobilenet-v2-050-flip-false-seed-2",
    ]
    for seed in (4, 5):  # differ from each other in the third place
        alike[f"v{seed}"] = [{"distill": {"alpha": 0.5, "batch": 8, "epochs": 9, "seed": seed}}]
    name = "distill-mobilenet-v2-050-batch-8-epochs-9"
    assert names_of(tmp_path, alike)[-2:] == [name, f"{name}-2"]


def test_deep_paths(tmp_path: Path) -> None:
    path = [{"prune": {"sparsity": (10 + number) / 100}} for number in range(40)]
    names = names_of(tmp_path, {f"v{end}": path[:end] for end in range(1, 41)})
    assert len(set(names)) == 40


def test_names_are_cut_and_stay_different(tmp_path: Path) -> None:
    """Who changes many parameters of many students gets names that every engine takes."""
    variants: dict[str, object] = {}
    for one in (0.1, 0.2, 0.3):
        for other in (0.1, 0.2, 0.3):
            student = {
                "backbone": "conv", "widths": [16, 32, 48, 48],
                "attention_weight": one, "distribution_weight": other,
            }  # fmt: skip
            for step in ({"initialization": "linear"}, {"clusters": 8}):
                variants[f"v{len(variants)}"] = [{"distill": student}, {"cluster": step}]
    names = names_of(tmp_path, variants)
    assert len(set(names)) == len(names)
    assert all(len(name) <= 128 for name in names)
    assert any(len(name) > 60 for name in names), "long enough to be cut"
