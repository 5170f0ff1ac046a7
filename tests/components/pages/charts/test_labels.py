from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from components.pages.charts.labels import Anchor, place
from components.pages.charts.svg import Box

FRAME = Box(40, 30, 640, 300)
anchors = st.builds(
    Anchor, st.floats(40, 680), st.floats(30, 330), st.floats(20, 180), clearance=st.just(10)
)


@given(st.lists(anchors, max_size=14))
def test_labels_never_cover_each_other_and_stay_inside(points):
    boxes = place(points, FRAME, [])
    assert len(boxes) == len(points)
    assert all(boxes), "fourteen names have room in such a frame"
    assert all(box.inside(FRAME) for box in boxes)
    assert not any(one.overlap(other) for one, other in combinations(boxes, 2))


@given(st.lists(st.just(Anchor(300, 150, 120)), min_size=1, max_size=12))
def test_names_of_one_and_the_same_point_find_their_places(points):
    boxes = place(points, FRAME, [])
    assert not any(one.overlap(other) for one, other in combinations(boxes, 2))


def test_a_label_avoids_the_marks_where_it_can():
    mark = Box(392, 142, 16, 16)
    (box,) = place([Anchor(380, 150, 60)], FRAME, [mark])
    assert box.overlap(mark) == 0


def test_the_first_gets_the_better_place():
    one, other = place([Anchor(300, 150, 60), Anchor(300, 150, 60)], FRAME, [])
    assert abs(one.y + one.height / 2 - 150) < 1
    assert one.x > 300
    assert other != one


def test_what_has_no_room_stays_out():
    assert place([Anchor(5, 5, 500)], Box(0, 0, 100, 100), []) == [None]
