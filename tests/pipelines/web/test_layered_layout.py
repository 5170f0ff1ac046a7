from graphlib import CycleError
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.web.layered_layout import lay_out


@st.composite
def graphs(draw):
    names = [f"n{index}" for index in range(draw(st.integers(1, 14)))]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    edges = draw(st.lists(st.sampled_from(pairs), max_size=30)) if pairs else []
    return names, edges


@given(graphs())
def test_edges_run_to_the_right_and_boxes_keep_their_distance(graph):
    names, edges = graph
    layout = lay_out(names, edges)
    column = {name: index for index, names in enumerate(layout.columns) for name in names}
    assert column.keys() == layout.rows.keys() == set(names)
    assert all(column[start] < column[end] for start, end in edges)
    for placed in layout.columns:
        assert all(layout.rows[b] - layout.rows[a] >= 1 - 1e-9 for a, b in pairwise(placed))
    assert all(0 <= row < layout.height for row in layout.rows.values())


@given(graphs())
def test_what_is_left_out_is_implied_by_a_longer_path(graph):
    names, edges = graph
    drawn = set(lay_out(names, edges).routes)
    assert drawn <= set(edges)

    def reach(start):
        found, todo = set(), [start]
        while todo:
            here = todo.pop()
            for a, b in drawn:
                if a == here and b not in found:
                    found.add(b)
                    todo.append(b)
        return found

    assert all(end in reach(start) for start, end in edges)
    for edge in drawn:  # and nothing that is drawn could be left out as well
        others = drawn - {edge}
        found, todo = set(), [edge[0]]
        while todo:
            here = todo.pop()
            nexts = {b for a, b in others if a == here} - found
            found |= nexts
            todo += nexts
        assert edge[1] not in found


@given(graphs())
def test_a_route_starts_and_ends_at_its_nodes_and_skips_no_column(graph):
    names, edges = graph
    layout = lay_out(names, edges)
    column = {name: index for index, names in enumerate(layout.columns) for name in names}
    for (start, end), route in layout.routes.items():
        assert route[0] == (column[start], layout.rows[start])
        assert route[-1] == (column[end], layout.rows[end])
        assert [at for at, _ in route] == list(range(column[start], column[end] + 1))


def test_two_ladders_do_not_cross():
    names = ["a1", "b1", "b2", "a2"]
    layout = lay_out(names, [("a1", "a2"), ("b1", "b2")])
    above = layout.rows["a1"] < layout.rows["b1"]
    assert (layout.rows["a2"] < layout.rows["b2"]) == above


def test_a_chain_is_a_straight_line():
    layout = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    assert set(layout.routes) == {("a", "b"), ("b", "c")}
    assert set(layout.rows.values()) == {0.0}


def test_a_cycle_is_refused():
    with pytest.raises(CycleError):
        lay_out(["a", "b"], [("a", "b"), ("b", "a")])


def test_nothing_gives_nothing():
    assert lay_out([], []).columns == ()
