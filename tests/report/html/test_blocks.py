"""What a page is made of: what comes from files is escaped, and what is missing is a dash."""

from __future__ import annotations

import doctest

from markupsafe import Markup

from pellucid.report.html import blocks
from pellucid.report.html.blocks import link, missing, plain, twofold


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(blocks).failed == 0


def test_a_cell_of_which_nothing_is_known_is_written_all_the_same() -> None:
    cells = (None, float("nan"), True, 3, 2.5, "a")
    assert [plain(value) for value in cells] == ["–", "–", "yes", "3", "2.50", "a"]


def test_what_comes_from_files_is_escaped() -> None:
    assert link("a<b>.tsv") == Markup('<a href="a&lt;b&gt;.tsv">a&lt;b&gt;.tsv</a>')
    assert "&lt;b&gt;" in missing("<b>", "x").text
    assert twofold("<", "&") == "&lt;<br>&amp;"
