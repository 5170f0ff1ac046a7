"""What manifests of this and of earlier versions say of a release."""

import pytest

from components.artifacts.qualification import qualification_in


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"qualified": True, "reasons": ["a", "b"]}, (True, ("a", "b"))),
        ({"qualified": False, "reasons": ["a"]}, (False, ("a",))),
        ({"promoted": True, "reason": "a"}, (True, ("a",))),
        ({"promoted": False, "reason": "a"}, (False, ("a",))),
    ],
)
def test_both_versions_are_read(manifest, said):
    assert qualification_in(manifest) == said
