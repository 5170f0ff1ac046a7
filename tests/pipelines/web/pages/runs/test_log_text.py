"""What a step printed, as text of a page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.web.pages.runs.log_text import shown, whole_until


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (b"plain\n", "plain\n"),
        (b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x1b]8;;http://a\x1b\\link", "red xlink"),
        (b"10 %\r50 %\r100 %\ndone\r\n", "100 %\ndone\n"),
        ("a\u202eb\u200bc\x00\x08".encode(), "a\\u202eb\\u200bc\\x00\\x08"),
        ("größer".encode()[:4], "größ"[:3]),
        ("ößer".encode()[1:], "ßer"),
        (b"\xff\xfe.", "\ufffd\ufffd."),
        (b"tab\tstays", "tab\tstays"),
    ],
)
def test_only_what_is_meant_to_be_read_is_shown(printed, text):
    assert shown(printed) == text


@given(st.text(), st.integers(0, 200))
def test_parts_cut_between_characters_say_the_same_as_the_whole(text, cut):
    data = text.encode()
    cut = whole_until(data[:cut])
    assert (data[:cut].decode() + data[cut:].decode()) == text
    assert cut >= 0


@given(st.binary(max_size=200))
def test_whatever_is_printed_can_be_shown(data):
    text = shown(data)
    assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in text)
