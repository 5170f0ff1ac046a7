"""A decision explored: what its picture calls the winner."""

from pipelines.web.exploring import exploration_of, explore
from tests.data.decisions import decision_of


def test_a_winner_that_does_not_qualify_is_called_none_but_under_budgets_of_one_s_own() -> None:
    decision = decision_of()
    called = {one.verdict: one.verdict for one in decision.variants} | {"winner": "not qualified"}
    own = explore(decision, exploration_of(decision, {}), called)
    assert own.pictures
    assert all("not qualified" in drawn and ", winner" not in drawn for drawn in own.pictures)
    moved = explore(decision, exploration_of(decision, {"drop": "0.5"}), called)
    assert moved.moved
    assert moved.pictures
    assert all("not qualified" not in drawn and ", winner" in drawn for drawn in moved.pictures)
