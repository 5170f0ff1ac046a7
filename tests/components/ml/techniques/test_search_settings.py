"""What a space lists, and for which backbone."""

from components.ml.techniques.search_settings import SearchSpace, SearchTraining


def test_what_is_not_given_is_usual() -> None:
    space = SearchSpace()
    assert space.listed("backbone") == ("conv", "mobilenet_v1", "mobilenet_v2")
    assert space.choices("conv", 8).keys() == {"alpha", "depth", "head", "resolution"}
    assert "expansion" in space.choices("mobilenet_v2", 8)


def test_lists_are_in_order_and_each_once() -> None:
    space = SearchSpace(alpha=[0.5, 0.25, 0.5], widths=[[16, 32], [8, 16], [16, 32]])
    assert space.listed("alpha") == (0.25, 0.5)
    assert space.choices("conv", 8)["widths"] == ((8, 16), (16, 32))
    assert "alpha" not in space.choices("conv", 8)
    assert "widths" not in space.choices("mobilenet_v1", 8)


def test_stem_and_residuals_belong_to_widths_of_as_many_blocks() -> None:
    space = SearchSpace(
        backbone=["conv", "mobilenet_v1"], widths=[[8, 16], [8, 16, 24]], stem=["half", "full"],
        residuals=[[0, 2, 1], [0, 1], [0, 0]],
    )  # fmt: skip
    assert space.choices("conv", 8)["stem"] == ("half", "full")
    assert "stem" not in space.choices("mobilenet_v1", 8)
    assert space.residuals_behind(2) == ((0, 0), (0, 1))
    assert space.residuals_behind(3) == ((0, 2, 1),)
    assert space.residuals_behind(4) == ()
    assert "stem" not in SearchSpace(widths=[[8, 16]]).choices("conv", 8)


def test_half_of_the_pixels_are_tried_where_enough_are_left() -> None:
    assert SearchSpace().resolutions(31) == (None,)
    assert SearchSpace().resolutions(32) == (16, None)
    assert SearchSpace(resolution=[64, 32, 16]).resolutions(32) == (16, None)


def test_a_training_of_a_length_ends_with_its_last_weights() -> None:
    optimization = SearchTraining(learning_rate=0.01).optimization(20)
    assert optimization.epochs == 20
    assert (optimization.learning_rate, optimization.keep) == (0.01, "last")
