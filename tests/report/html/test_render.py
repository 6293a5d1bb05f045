"""What is put into a page is text, unless it says that it is markup."""

from __future__ import annotations

from markupsafe import Markup

from pellucid.report.html.blocks import Card, Cards, Items, Note, Section, Table, Text, reference
from pellucid.report.html.render import render


def test_text_is_escaped_everywhere() -> None:
    bad = "<b>&\x1b[2J\u202e"
    cards = Cards(cards=[Card(value=bad, label=bad, detail=bad)])
    section = Section("a", bad, [Note(tone="pass", text=bad), Items(items=[bad, Markup("<i>x</i>")]), cards])
    text = render([section], kind=bad, title=bad, about=bad, embed=str)
    assert "<b>&<" not in text
    assert text.count(r"&lt;b&gt;&amp;\x1b[2J\u202e") == 12
    assert "\x1b" not in text
    assert "<i>x</i>" in text
    assert "<body>" in text
    assert '<body class="wide">' in render([], kind="", title="", about="", embed=str, wide=True)


def test_a_reference_has_the_number_that_its_table_has_on_this_page() -> None:
    text = Text(paragraphs=[f"as in {reference('scores', 'tables/table2.tsv')}."])
    tables = [Table(header=["a"], rows=[["b"]], caption="", key=key) for key in ("people", "", "scores")]
    for before, number in ((tables, 3), (tables[1:], 2), (tables[2:], 1)):
        page = render([Section("a", "A", [text, *before])], kind="", title="", about="", embed=str)
        assert f'as in <a href="#table-scores">Table {number}</a>.' in page
        assert f'<strong id="table-scores">Table {number}.</strong>' in page
    alone = render([Section("a", "A", [text, *tables[:2]])], kind="", title="", about="", embed=str)
    assert "as in tables/table2.tsv." in alone
    assert "\ue000" not in alone
