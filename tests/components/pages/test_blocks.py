import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from components.pages.blocks import (
    CardSection,
    Code,
    Facts,
    Listing,
    Paragraph,
    Table,
    markdown,
    plain,
)

COMMONMARK = MarkdownIt("commonmark").enable("table")


def shown(text):
    """What a reader sees of Markdown."""
    return html.unescape(re.sub(r"<[^>]*>", "", COMMONMARK.render(text))).strip()


@given(st.text())
def test_every_text_is_shown_as_it_is(text):
    flat = " ".join("".join(c if c.isprintable() or c.isspace() else "?" for c in text).split())
    assert " ".join(shown(plain(flat)).split()) == flat


@pytest.mark.parametrize(
    "text",
    ["# head", "1. one", "12) twelve", "- item", "+ plus", "> quote", "a | b", "_x_", "*x*",
     "<script>", "&lt;", "[a](javascript:1)", "![a](b)", "`code`", "~~x~~", "mobilenet_v2", "0.031"],
)  # fmt: skip
def test_what_means_something_in_markdown_loses_its_meaning(text):
    assert shown(plain(text)) == text
    assert COMMONMARK.render(plain(text)).strip().startswith("<p>")


def test_names_and_numbers_stay_readable_in_the_source():
    assert plain("train mobilenet_v2 0.35, drop 0.031 (0.012 to 0.052)") == (
        "train mobilenet_v2 0.35, drop 0.031 (0.012 to 0.052)"
    )


def test_a_document_has_all_its_blocks():
    text = markdown(
        "Title <b>",
        "Lead.",
        [
            CardSection(
                "One",
                (
                    Paragraph("A | B"),
                    Listing(("1. first", "second")),
                    Facts((("name", "value"),)),
                    Facts((("sha256", "abc"),), exact=True),
                    Table(("", "a|b"), (("row", "1"), ("<i>", "-3"))),
                    Code("python", "print(1)\n"),
                ),
            )
        ],
    )
    page = COMMONMARK.render(text)
    assert "<h1>Title &lt;b&gt;</h1>" in page
    assert page.count("<li>") == 4
    assert "<code>abc</code>" in page
    assert page.count("<tr>") == 3
    assert "<th>a|b</th>" in page
    assert "<td>&lt;i&gt;</td>" in page
    assert '<code class="language-python">print(1)' in page
