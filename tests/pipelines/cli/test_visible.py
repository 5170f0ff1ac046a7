"""Text from outside reaches no terminal as it came."""

import ast
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from pipelines.cli.output import complain, print_log, print_text
from pipelines.cli.visible import add_row, line
from pipelines.disk.visible import visible

CLI = Path(__file__).parents[3] / "pipelines" / "cli"
HOSTILE = {
    "clear the screen": ("\x1b[2J", r"\x1b[2J"),
    "write to the clipboard": ("\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07"),
    "8 bit control sequence": ("\x9b2J", r"\x9b2J"),
    "back to the start of the line": ("good\rbad", r"good\rbad"),
    "right to left": ("\u202egpj.exe", r"\u202egpj.exe"),
    "isolate": ("\u2066a\u2069", r"\u2066a\u2069"),
    "no width": ("pass\u200bword", r"pass\u200bword"),
    "mark of byte order": ("\ufeffa", r"\ufeffa"),
    "half of a pair": ("\ud800", r"\ud800"),
    "separator of lines": ("a\u2028b", r"a\u2028b"),
    "tag": ("a\U000e0041", r"a\U000e0041"),
    "markup": ("[red]a[/]", "[red]a[/]"),
}


@pytest.mark.parametrize(("given", "shown"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_terminal_acts_upon_is_escaped(
    given: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert visible(given) == shown
    console = Console(width=200)
    table = Table()
    table.add_column("x")
    add_row(table, given)
    with console.capture() as capture:
        console.print(line(given))
        console.print(table)
    assert capture.get().count(shown) == 2
    print_text(given)
    print_log(given)
    complain(given, given)
    printed = capsys.readouterr()
    assert printed.out == f"{shown}\n{shown}"
    assert printed.err == f"error: {shown}\nfix: {shown}\n"


@pytest.mark.parametrize("given", ["é", "日本", "العربية", "Ω 12 µs", "🙂", "a\nb"])
def test_what_people_read_stays(given: str) -> None:
    assert visible(given) == given


def test_only_the_module_that_escapes_prints() -> None:
    """Neither a stream, nor a text or a row of ``rich``, is used anywhere else."""
    found: list[str] = []
    for path in sorted(CLI.rglob("*.py")):
        if path.name in ("output.py", "visible.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in ("print", "Text") or called.endswith(
                ("stdout.write", "stderr.write", ".add_row", "Text.from_markup")
            ):
                found.append(f"{path.relative_to(CLI)}: {called}")
    assert found == []
