"""The rule of two people: who promotes a release is not who started its run."""

from __future__ import annotations

from components.contract.errors import UserError
from pipelines.releases.published import PublishedRelease


def check_two_people(actor: str, published: PublishedRelease) -> None:
    """Refuse a promotion by the person who started the run.

    Accounts of one name on two machines count as one person. The rule is as good as the names are:
    whoever can write the store can write any.

    Args:
        actor: Who promotes.
        published: What.

    Raises:
        UserError: It is the same person, or nobody knows who started the run.
    """
    trained_by = published.trained_by
    if not trained_by:
        raise UserError(
            f"releases.two_people: nobody knows who started the run {published.run}, as no record "
            "of this version says it",
            "slimline run CONFIG again (its results are kept), and promote the new run's release",
        )
    if person(actor) == person(trained_by):
        raise UserError(
            f"releases.two_people: {actor} started the run {published.run} as {trained_by}, and "
            "another person has to promote its release",
            "ask another person to run this command; SLIMLINE_ACTOR names whoever acts where "
            "people share an account",
        )


def person(actor: str) -> str:
    """Return what tells a person: the account without its machine."""
    return actor.partition("@")[0].strip().casefold()
