"""Fronts, crowding and who is trained on."""

import math

from components.ml.techniques.search_ranking import crowding, dominates, fronts, survivors


def test_one_dominates_another_that_is_nowhere_better() -> None:
    assert dominates((1, 2), (1, 3))
    assert not dominates((1, 2), (1, 2))
    assert not dominates((1, 2), (0, 3))


def test_fronts_are_peeled_off() -> None:
    found = fronts([(0, 3), (3, 0), (1, 1), (2, 2), (4, 4)])
    assert found == [[0, 1, 2], [3], [4]]


def test_ends_are_alone() -> None:
    alone = crowding([(0.0, 4.0), (1.0, 2.0), (1.1, 1.9), (4.0, 0.0)])
    assert alone[0] == alone[3] == math.inf
    assert alone[2] > alone[1] > 0
    assert crowding([(1.0, 1.0), (1.0, 1.0)]) == [0, 0]


def test_the_best_third_is_kept_with_its_spread() -> None:
    line = [(float(at), float(8 - at)) for at in range(9)]  # all on one front
    assert len(survivors(line)) == 3
    assert {0, 8} < set(survivors(line))
    assert survivors([(5.0, 5.0), (1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]) == [1, 2]
    assert survivors([(1.0, 1.0)]) == [0]
