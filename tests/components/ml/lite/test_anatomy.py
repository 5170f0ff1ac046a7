"""What the bytes of a file are there for, held against what is known of the file otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.lite_model import MODEL_FILE
from components.ml.lite import anatomy, appended
from components.ml.lite.flatbuffer import LiteFile
from tests.data.lite_files import packed, unpacked, with_data_outside
from tests.data.tiny_lite import one_layer

SCHEMES = ("float32", "float16", "dynamic", "int8", "int8-uint8", "int8-int8")


def content_of(lite_patterns: Mapping[str, Path], scheme: str) -> bytes:
    return (lite_patterns[scheme] / "lite" / MODEL_FILE).read_bytes()


def known(content: bytes) -> dict[str, int]:
    """Count parts in another way: by value, once each, with four bytes of length a vector."""
    file = LiteFile.parse(content)
    tensors = [tensor for graph in file.subgraphs for tensor in graph.tensors]
    data = {
        role: {bytes(t.constant.data) for t in tensors if t.role == role and t.constant}
        for role in ("weight", "bias")
    }
    scales = {t.scales for t in tensors if t.scales}
    points = {t.zero_points for t in tensors if t.zero_points}
    return {
        "weights": sum(len(one) + 4 for one in data["weight"]),
        "biases": sum(len(one) + 4 for one in data["bias"]),
        "scales": sum(4 * len(one) + 4 for one in scales),
        "zero_points": sum(8 * len(one) + 4 for one in points),
    }


@pytest.mark.parametrize("scheme", SCHEMES)
def test_parts_are_what_they_are_and_add_up(lite_patterns: Mapping[str, Path], scheme: str) -> None:
    content = content_of(lite_patterns, scheme)
    found = anatomy.anatomy(content).to_json()
    assert sum(found.values()) == len(content)
    assert found.items() >= known(content).items()
    assert 0 < found["names"] < 100  # of the signature
    assert found["metadata"] == (45 if scheme == "float16" else 0)
    # Tables, lists of indices and shapes of some 20 operators.
    assert 500 < found["rest"] < 3000


def test_data_behind_the_flatbuffer_counts_too(lite_patterns: Mapping[str, Path]) -> None:
    content = content_of(lite_patterns, "int8")
    outside = with_data_outside(content)
    found, inside = anatomy.anatomy(outside), anatomy.anatomy(packed(unpacked(content)))
    assert sum(asdict(found).values()) == len(outside)
    vectors = len({bytes(t.constant.data) for t in LiteFile.parse(content).weights if t.constant})
    assert found.weights == inside.weights - 4 * vectors
    assert found.zero_points == inside.zero_points


def test_names_and_archives_count() -> None:
    content = one_layer(np.eye(4, 64, dtype=np.float32), (8, 8, 1))
    found = anatomy.anatomy(content)
    assert found.names == sum(4 + len(name) + 1 for name in ("image", "weights", "answer"))
    assert found.weights == 4 + 4 * 4 * 64
    longer = appended.with_files(content, {"labels.txt": b"one\ntwo"})
    assert anatomy.anatomy(longer).metadata == len(longer) - len(content)
    assert anatomy.anatomy(longer).rest == found.rest


@pytest.mark.parametrize("part", ["weights", "biases", "scales", "zero_points"])
def test_a_part_that_is_missed_is_noticed(
    lite_patterns: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    content, spans = content_of(lite_patterns, "int8"), anatomy._spans

    def without(given: bytes) -> Any:
        return (span for span in spans(given) if span[0] != part)

    monkeypatch.setattr(anatomy, "_spans", without)
    found = anatomy.anatomy(content).to_json()
    assert sum(found.values()) == len(content)
    assert not found.items() >= known(content).items()


def test_parts_that_overlap_are_a_bug(
    lite_patterns: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anatomy, "_spans", lambda given: iter([("a", 0, 9), ("b", 8, 12)]))
    with pytest.raises(AssertionError, match="overlap at byte 8"):
        anatomy.anatomy(content_of(lite_patterns, "int8"))
