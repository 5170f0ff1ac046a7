"""Extras: packages that one capability alone needs, and how to install them."""

from __future__ import annotations

import sys
from pathlib import Path

from components.contract.errors import UserError


def not_installed(what: str, package: str, extra: str) -> UserError:
    """Return the error for a package that is not there.

    Args:
        what: That needs it.
        package: Its name, as pip knows it.
        extra: Of slimline, which has it.
    """
    root = Path(__file__).parents[2]
    return UserError(
        f"{what}: the package {package}, which it needs, is not installed in {sys.prefix}",
        f"{sys.prefix}/bin/pip install -c {root}/constraints.txt -e '{root}[{extra}]'",
    )
