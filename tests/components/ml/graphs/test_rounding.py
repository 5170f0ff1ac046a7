import pytest

from tests.data import small_networks


def rounded(model):
    from components.ml.graphs.call_graph import CallGraph
    from components.ml.graphs.folding import fold
    from components.ml.graphs.rounding import rounded_outputs

    return rounded_outputs(CallGraph.of(fold(model, small_networks.SHAPE).model))


def test_a_relu_is_rounded_and_not_what_it_becomes_part_of():
    found = rounded(small_networks.build("plain"))
    assert list(found) == ["re_lu", "re_lu_1", "global_average_pooling2d", "dense"]
    assert set(found.values()) == {None}


def test_inside_of_a_hard_swish_nothing_is_rounded_and_what_goes_in_is():
    found = rounded(small_networks.build("hard_swish"))
    assert "conv2d" in found  # read by the hard swish
    assert "depthwise_conv2d" in found
    # Of the squeeze-excite the sum is part of the convolution, and the division is by itself.
    assert [name for name in found if name.startswith("rescaling")] == ["rescaling_4"]
    assert not {"conv2d_1", "conv2d_2", "re_lu", "re_lu_1"} & found.keys()
    assert {"re_lu_2", "re_lu_3"} <= found.keys()
    assert {"multiply", "multiply_1", "multiply_2"} <= found.keys()
    assert found["dense_activation"] == (0.0, 255 / 256)


def test_operators_that_know_one_range_have_it():
    found = rounded(small_networks.build("prelu"))
    assert found["unit_normalization"] == (-1.0, 127 / 128)
    assert found["conv2d_2_activation"] == (0.0, 255 / 256)
    assert {"p_re_lu", "conv2d"} <= found.keys()
    assert not {"max_pooling2d", "flatten"} & found.keys()


def test_what_is_joined_has_the_levels_of_the_whole_and_norms_round_twice():
    found = rounded(small_networks.build("joined"))
    # The first map of the block is read by a norm, too; the others by nothing else.
    assert {"conv2d", "concatenate", "concatenate_1", "concatenate_2"} <= found.keys()
    assert not {"conv2d_1", "conv2d_2", "conv2d_3", "re_lu_2"} & found.keys()
    twice = ["normalization", "batch_normalization", "batch_normalization_1", "rescaling"]
    assert {f"{name}/product" for name in twice} <= found.keys()
    assert not [name for name in rounded(small_networks.build("hard_swish")) if "/" in name]


@pytest.mark.parametrize(
    ("ends", "nudged"),
    [((-1.0, 1.0), 127), ((0.0, 2.0), 0), ((-3.0, 0.0), 255), ((-0.001, 2.0), 0)],
)
def test_zero_has_a_level_of_its_own_and_half_way_goes_down(ends, nudged):
    from components.ml.graphs.rounding import nudged as nudge

    low, high = nudge(*ends)
    assert high - low == pytest.approx(ends[1] - ends[0])
    assert -low / (high - low) * 255 == pytest.approx(nudged)
