"""Networks that are rounded, held against the int8 files that are made of them."""

from dataclasses import replace

import numpy as np
import pytest

from components.artifacts.lite_model import LIMITS
from components.artifacts.model import ModelInfo, QuantizationPlan
from components.artifacts.promises import Promises
from components.contract.errors import UserError
from tests.data import small_networks

PLAN = QuantizationPlan("int8", "uint8", "uint8")
REFERENCE_SHARE, REST = 1.3, 0.1
"""By how much a file may differ from the network it was trained as: so often as its own kernels
differ among themselves, and this part of a level more, on average."""


def rounded(name, bits=8):
    """A folded network with kernels of few levels, rounded, and with calibrated ranges."""
    from components.ml.graphs.folding import fold
    from components.ml.graphs.kernels import kernels_of_model
    from components.ml.training.constrained import ConstrainedNetwork
    from components.ml.training.constraints import Levels

    model = fold(small_networks.build(name), small_networks.SHAPE).model
    held = {
        kernel.name: [Levels.of(kernel, bits), Levels.of(kernel)]
        for kernel in kernels_of_model(model)
    }
    network = ConstrainedNetwork(model, held)
    network.ranges = network.observed(normalized(), (-1.0, 1.0))
    network.bake()
    return network


def normalized():
    return (small_networks.images().astype(np.float32) - np.float32(127.5)) / np.float32(127.5)


def file_of(network, path):
    """The int8 file that convert makes of a network, read back, and its bytes."""
    from components.ml.formats import model_folder
    from components.ml.lite.flatbuffer import LiteFile
    from components.ml.lite.writing import to_lite

    info = replace(
        ModelInfo.read(small_networks.write(path, network.model)),
        quantization=PLAN, promises=Promises(ranges=len(network.ranges)),
    )  # fmt: skip
    model_folder.export(path, network.program, network.weights, info)
    info.write(path)
    content = to_lite(path, ModelInfo.read(path), normalized())
    return LiteFile.parse(content), content, info


def answers(content, *, reference):
    """What a file answers to the pixels, by XNNPACK or by the reference kernels, in levels."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.BUILTIN
    run = Interpreter(model_content=content, experimental_op_resolver_type=kind)
    run.allocate_tensors()
    (given,), (taken,) = run.get_input_details(), run.get_output_details()
    found = []
    for image in small_networks.images():
        run.set_tensor(given["index"], image[None])
        run.invoke()
        found.append(run.get_tensor(taken["index"])[0].astype(np.float32))
    return np.stack(found)


def differences(network, file, content):
    """How far the file is from the network, and its kernels from each other: means in levels."""
    affine = file.output.affine
    expected = network(normalized()).numpy() / affine.scale + affine.zero_point
    expected = np.clip(np.round(expected), *LIMITS["uint8"])
    fast, slow = (answers(content, reference=reference) for reference in (False, True))
    assert np.abs(fast - fast.mean(axis=0)).max() > 5, "the answers do not hang on the image"
    return np.abs(fast - expected).mean(), np.abs(fast - slow).mean()


@pytest.mark.parametrize("name", small_networks.NETWORKS)
def test_the_file_computes_as_the_network_was_trained(name, tmp_path):
    from components.ml.lite import checking

    network = rounded(name)
    file, content, info = file_of(network, tmp_path)
    checking.refuse(file, info, network.ranges)
    assert not file.float_operators
    trained, between_kernels = differences(network, file, content)
    assert trained <= REFERENCE_SHARE * between_kernels + REST


def test_a_rounding_that_is_left_out_is_found_in_the_file(tmp_path):
    from components.ml.lite import checking

    network, lost = rounded("plain"), "dense"
    ranges = network.ranges
    low, high = ranges[lost]
    ranges = {**ranges, lost: (1.1 * low, 1.1 * high)}  # no longer what calibration finds by itself
    network.ranges = ranges
    file, _, info = file_of(network, tmp_path / "whole")
    checking.refuse(file, info, ranges)
    network.ranges = {name: ends for name, ends in ranges.items() if name != lost}
    file, _, _ = file_of(network, tmp_path / "lost")
    with pytest.raises(UserError, match=f"than they were trained in: {lost}") as caught:
        checking.refuse(file, info, ranges)
    assert "quantize: {scheme: int8}" in caught.value.fix


def test_kernels_that_were_not_stored_as_they_were_trained_are_found_in_the_answers(
    tmp_path, monkeypatch
):  # fmt: skip
    from components.ml.training.constrained import ConstrainedNetwork

    for baked in (True, False):
        if not baked:
            monkeypatch.setattr(ConstrainedNetwork, "bake", lambda _: None)
        network = rounded("inverted_residuals", bits=4)
        file, content, _ = file_of(network, tmp_path / str(baked))
        trained, between_kernels = differences(network, file, content)
        assert bool(trained <= REFERENCE_SHARE * between_kernels + REST) is baked
