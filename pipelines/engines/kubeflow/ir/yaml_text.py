"""The text of compiled documents, and its file."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from components.contract.errors import UserError
from pipelines.disk.files import beside
from pipelines.engines.kubeflow.ir.component_spec import Json

_WIDTH = 1 << 20
_TEXT = "tag:yaml.org,2002:str"
_NUMERIC_TO_SOME = re.compile(r"[-+.]?[0-9]")


def yaml_text(document: Json) -> str:
    """Return a document as YAML that every reader takes for the same."""
    return yaml.dump(document, Dumper=_Dumper, default_flow_style=False, width=_WIDTH)


class _Dumper(yaml.CSafeDumper):
    """The safe dumper without anchors, and with quotes around all that looks like a number.

    PyYAML follows YAML 1.1, where ``1e3`` is text; to the YAML library of the server it is 1000.
    """

    def ignore_aliases(self, data: object) -> bool:
        """Write equal parts out each time: not every reader resolves anchors."""
        del data
        return True


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if _NUMERIC_TO_SOME.match(text) else None
    return dumper.represent_scalar(_TEXT, text, style=style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _represent_text)


def write(text: str, path: Path) -> None:
    """Write a compiled pipeline to a file, whole or not at all.

    Raises:
        UserError: The place cannot be written to.
    """
    fix = "name another place with --output FILE"
    try:
        # A device or a pipe, such as /dev/stdout, would be replaced as well.
        if not path.name or (path.exists() and not path.is_file()):
            raise UserError(f"{path} cannot be written: it is no file", fix)
        with beside(path) as temporary:
            temporary.write_text(text)
            temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}", fix) from error
