"""The entry point of every image, as a person calls it."""

import pytest

from components.__main__ import main


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--guide-weight", "1"], "'guide_weight' of train is called 'fisher_weight' now"),
        (["--guide-weight=1"], "write fisher_weight in place of guide_weight"),
        (["--epoch5", "1"], "did you mean 'epochs'?"),
        (["--datasets", "d"], "did you mean 'dataset'?"),
    ],
)
def test_an_unknown_flag_is_told_with_the_name_that_is_meant(flags, expected, capsys):
    assert main(["train", *flags]) == 2
    assert expected in capsys.readouterr().err


def test_a_word_that_no_flag_takes_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "epochs"])
    assert ended.value.code == 2
    assert "'epochs' belongs to no flag" in capsys.readouterr().err
