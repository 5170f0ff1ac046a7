"""The entry point of every image, as a person calls it."""

import pytest

from components.__main__ import main
from components.contract.interface import interface_of


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--epoch5", "1"], "did you mean 'epochs'?"),
        (["--epoch5=1"], "train has no parameter 'epoch5'"),
        (["--datasets", "d"], "did you mean 'dataset'?"),
    ],
)
def test_an_unknown_flag_is_told_with_the_name_that_is_meant(flags, expected, capsys):
    assert main(["train", *flags]) == 2
    assert expected in capsys.readouterr().err


def test_a_renamed_flag_is_told_with_its_new_name(capsys):
    renamed = [item for item in interface_of("train").parameters if item.formerly]
    assert renamed
    for parameter in renamed:
        assert main(["train", f"--{parameter.formerly.name.replace('_', '-')}", "1"]) == 2
        assert f"is called {parameter.name!r} now" in capsys.readouterr().err


def test_a_word_that_no_flag_takes_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "epochs"])
    assert ended.value.code == 2
    assert "'epochs' belongs to no flag" in capsys.readouterr().err
