from collections.abc import Mapping
from pathlib import Path

from components.devices.delegates import Delegation
from components.devices.interpreter import LiteModel


class Listed:
    """A runtime's listing of x -> 0 -> 1 -> 2 -> 3 with 0 and 1, and 3, handed over."""

    def _get_ops_details(self) -> list[dict]:
        chain = [("CONV_2D", [0, 9], [1]), ("ADD", [1, 0], [2]), ("PRELU", [2], [3])]
        chain += [("MEAN", [3], [4]), ("DELEGATE", [0, 9], [2]), ("DELEGATE", [3], [4])]
        return [
            {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}
            for index, (name, inputs, outputs) in enumerate(chain)
        ]


def test_what_a_partition_takes_in_is_found_from_its_border() -> None:
    assert Delegation.of(Listed()) == Delegation(
        partitions=2, inside=3, outside=("PRELU",), places=(2,)
    )


def test_a_float_model_goes_over_whole_and_a_softmax_of_integers_does_not(
    lite_patterns: Mapping[str, Path],
) -> None:
    floats = LiteModel.open(lite_patterns["float32"] / "lite")
    assert Delegation.of(floats.interpreter).outside == ()
    integers = LiteModel.open(lite_patterns["int8-int8"] / "lite")
    divided = Delegation.of(integers.interpreter)
    assert divided.partitions == 1
    assert divided.outside == ("SOFTMAX",)
    assert [integers.interpreter._get_ops_details()[at]["op_name"] for at in divided.places] == [
        "SOFTMAX"
    ]
