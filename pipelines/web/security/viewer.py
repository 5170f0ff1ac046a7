"""Who asks for a page, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.web.settings import ROLES, Role


@dataclass(frozen=True)
class Viewer:
    """Who asks.

    Attributes:
        name: As it is recorded with what they do.
        role: What they may do, with all that the roles before it may.
    """

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether they may do what takes this role."""
        return ROLES.index(role) <= ROLES.index(self.role)
