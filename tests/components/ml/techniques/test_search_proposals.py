"""Proposals: of the space, with stems and residuals that fit the widths, and the same by the seed."""

from dataclasses import replace

from components.ml.settings import Network
from components.ml.techniques.cost_sampling import drawn, info_for
from components.ml.techniques.search_proposals import Proposals
from components.ml.techniques.search_settings import SearchSpace
from components.ml.techniques.searched_networks import counted, name_of

SPACE = SearchSpace(
    backbone=["conv", "mobilenet_v1"], widths=[[4, 8], [4, 8, 8]], stem=["half", "full"],
    residuals=[[0, 0], [1, 0], [0, 1, 2], [0, 0, 0]], alpha=[0.125, 0.25], depth=[1.0],
    head=["pooled"],
)  # fmt: skip


def proposed(seed: int, count: int = 40) -> list[Network]:
    proposals = Proposals(SPACE, "classification", 8, count, seed)
    found: list[Network] = []
    for place in range(count):
        trial, network, embedding = proposals.ask()
        assert embedding is None
        proposals.tell(trial, (-1.0 / (1 + place % 7), 1.0 + place % 3, 1000.0), {"size": -0.5})
        found.append(network)
    return found


def test_stems_and_residuals_are_tried_and_fit_the_widths() -> None:
    found = proposed(seed=0)
    plain = [one for one in found if one.backbone == "conv"]
    assert {one.stem for one in plain} == {"half", "full"}
    tried = {(len(one.widths or ()), tuple(one.residuals or ())) for one in plain}
    assert tried == {(2, (0, 0)), (2, (1, 0)), (3, (0, 1, 2)), (3, (0, 0, 0))}
    others = [one for one in found if one.backbone != "conv"]
    assert others
    assert {(one.stem, one.residuals) for one in others} == {("half", None)}


def test_the_seed_decides_what_is_proposed() -> None:
    assert proposed(seed=3) == proposed(seed=3) != proposed(seed=4)


def test_names_and_identities_differ_where_networks_do() -> None:
    info = info_for((8, 8, 1), "classification", 4)
    widths = [4, 8]
    networks = [
        Network(backbone="conv", widths=widths),
        Network(backbone="conv", widths=widths, residuals=[0, 0]),
        Network(backbone="conv", widths=widths, stem="full"),
        Network(backbone="conv", widths=widths, residuals=[0, 2]),
    ]
    names = [name_of(one, None) for one in networks]
    assert names == ["conv-4-8", "conv-4-8", "conv-4-8-full", "conv-4-8-r02"]
    identities = [counted(one, info).identity for one in networks]
    assert identities[0] == identities[1]  # no residual convolution is the same network
    assert len(set(identities)) == 3


def test_costs_are_counted_of_stems_and_residuals() -> None:
    info = info_for((8, 8, 1), "classification", 4)
    base, full, residual = (
        counted(Network(backbone="conv", widths=[4, 8], **more), info).counts
        for more in ({}, {"stem": "full"}, {"residuals": [0, 1]})
    )
    assert full["macs"] == 4 * base["macs"] - 3 * 8 * 4  # four times the map, but for the scores
    assert full["parameters"] == base["parameters"]
    assert residual["kernels"] == base["kernels"] + 1
    assert residual["macs"] == base["macs"] + 9 * 8 * 8 * 2 * 2
    assert residual["int8_bytes"] == base["int8_bytes"] + 9 * 8 * 8 + 28 * 8


def test_the_networks_that_costs_are_measured_of_have_them_too() -> None:
    space = replace(SPACE, backbone=["conv"])
    plain = [one.network for one in drawn(space, 9, (8, 8, 1), "classification", seed=0)]
    assert {one.stem for one in plain} == {"half", "full"}
    assert all(len(one.residuals or ()) == len(one.widths or ()) for one in plain)
    assert any(sum(one.residuals or ()) for one in plain)
