"""Template: the commented configuration that ``slimline init`` writes."""

from __future__ import annotations

import re
from pathlib import Path

from components.contract.errors import UserError

_TEXT = Path(__file__).with_name("template.yaml")


def write(path: Path) -> None:
    """Write the template to a new file.

    Raises:
        UserError: There is a file already, or it cannot be written.
    """
    name = re.sub("[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:40].strip("-") or "faces"
    text = _TEXT.read_text().replace("NAME", f"{name:<4}", 1)
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"there is a {path} already", "name a new file, or remove it") from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}", "name a file in a folder that exists"
        ) from None
