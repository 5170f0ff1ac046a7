"""`slimline init`: what it writes is valid, also what it comments out."""

from pathlib import Path

from pipelines.config.loading import load
from tests.pipelines.cli.command_line import slimline


def test_init_writes_a_configuration_that_is_valid(tmp_path: Path) -> None:
    done = slimline("init", "My Faces.yaml", cwd=tmp_path, check=0)
    assert "slimline run" in done.stdout
    path = tmp_path / "My Faces.yaml"
    assert load(path).name == "my-faces"
    path.write_text("mine")
    again = slimline("init", "My Faces.yaml", cwd=tmp_path, check=2)
    assert "there is a My Faces.yaml already" in again.stderr
    assert path.read_text() == "mine"
    assert "cannot be written" in slimline("init", "no/c.yaml", cwd=tmp_path, check=2).stderr


def test_what_init_comments_out_is_valid_too(tmp_path: Path) -> None:
    slimline("init", "c.yaml", cwd=tmp_path, check=0)
    text = (tmp_path / "c.yaml").read_text()
    teacher = next(line for line in text.splitlines() if line.startswith("teacher:"))
    for key in ("split", "limits", "teacher"):
        commented = f"# {key}: {{"
        assert commented in text
        (tmp_path / "c.yaml").write_text(
            text.replace(teacher, "" if key == "teacher" else teacher).replace(
                commented, commented[2:]
            )
        )
        load(tmp_path / "c.yaml")
