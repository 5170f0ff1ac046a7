"""What took long is found out once, as long as it is true, and never too much is kept."""

import pytest

from pipelines.web.kept_answers import KeptAnswers


def test_a_question_is_answered_once_until_something_changes():
    asked = []

    def make(what):
        return lambda: asked.append(what) or what

    kept = KeptAnswers(10)
    assert kept.recall("now", "a", make("first")) == "first"
    assert kept.recall("now", "a", make("second")) == "first"
    assert kept.recall("later", "a", make("third")) == "third"
    assert asked == ["first", "third"]


def test_the_longest_unused_goes_first():
    kept = KeptAnswers(2)
    for name in ("a", "b"):
        kept.recall(1, name, lambda name=name: name)
    kept.recall(1, "a", lambda: pytest.fail("it is known"))
    kept.recall(1, "c", lambda: "c")
    kept.recall(1, "a", lambda: pytest.fail("it was used a moment ago"))
    assert kept.recall(1, "b", lambda: "again") == "again"


def test_what_fails_is_asked_again():
    kept = KeptAnswers(2)
    with pytest.raises(ZeroDivisionError):
        kept.recall(1, "a", lambda: 1 // 0)
    assert kept.recall(1, "a", lambda: 2) == 2


def test_what_was_found_while_all_changed_is_not_kept():
    kept = KeptAnswers(2)

    def slow():
        kept.recall("new", "other", lambda: 1)
        return "old"

    assert kept.recall("old", "a", slow) == "old"
    assert kept.recall("new", "a", lambda: "fresh") == "fresh"
