"""The packages that only exports need."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from components.contract.errors import UserError

EXTRA = "export"
"""Name of the extra that installs them."""

_MODULES = {
    "openlineage": ("openlineage.client", "openlineage-python"),
    "cyclonedx": ("cyclonedx", "cyclonedx-python-lib"),
}


def check_installed(form: str) -> None:
    """Let a form pass whose package is installed.

    Args:
        form: Of the export.

    Raises:
        UserError: It is not.
    """
    module, package = _MODULES[form]
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:  # of the package around it
        found = False
    if not found:
        root = Path(__file__).parents[3]
        raise UserError(
            f"export --format {form}: the package {package}, which it needs, is not installed in "
            f"{sys.prefix}",
            f"{sys.prefix}/bin/pip install -c {root}/constraints.txt -e '{root}[{EXTRA}]'",
        )
