"""What is put into a page is text, unless it says that it is markup."""

from __future__ import annotations

from markupsafe import Markup

from pellucid.report.blocks import Card, Cards, Items, Note, Section
from pellucid.report.render import render


def test_text_is_escaped_everywhere() -> None:
    bad = "<b>&"
    cards = Cards(cards=[Card(value=bad, label=bad, detail=bad)])
    section = Section("a", bad, [Note(tone="pass", text=bad), Items(items=[bad, Markup("<i>x</i>")]), cards])
    text = render([section], kind=bad, title=bad, about=bad, embed=str)
    assert "<b>&<" not in text
    assert text.count("&lt;b&gt;&amp;") == 12
    assert "<i>x</i>" in text
    assert "<body>" in text
    assert '<body class="wide">' in render([], kind="", title="", about="", embed=str, wide=True)
