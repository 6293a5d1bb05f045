"""Words that people type: trimmed, compared, guessed at, and made safe to print."""

from __future__ import annotations

import difflib
import inspect
import re
import unicodedata
from collections.abc import Iterable

MISSING = frozenset({"", "n/a", "n.a.", "#n/a", "na", "nan", "none", "null"})
"""How tables say in any case of letters that something is not known; BIDS's own word is `n/a`."""

_UNSEEN = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"  # of no width, and so typed without being seen
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAKS = re.compile(r"\s*[\r\n\t]\s*")
_WHOLE = re.compile(r"(?<=\d)\.0+(?=\s*$)")
_CLOSE = 0.75  # difflib's ratio from which a word may be meant


def trim(text: str) -> str:
    r"""Return a text without blanks at its ends, those of no width included.

    >>> trim(" MS\u200b ")
    'MS'
    """
    before = None
    while text != before:
        before, text = text, text.strip().strip(_UNSEEN)
    return text


def is_missing(text: str | None) -> bool:
    """Tell whether a cell says that something is not known."""
    return text is None or trim(text).casefold() in MISSING


def key(text: str) -> str:
    """Return what two spellings of one word have in common: neither case, blanks, width, marks nor idle zeros.

    >>> key("sub-001") == key(" SUB_1"), key("M\u200bS") == key("ms"), key("1.0") == key("1"), key("10") == key("1")
    (True, True, True, False)
    """
    text = _WHOLE.sub("", text)
    plain = "".join(
        c if c.isalnum() else " " for c in unicodedata.normalize("NFKC", text).casefold() if c not in _UNSEEN
    )
    return "".join(part.lstrip("0") or part[:1] for part in plain.split())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that may have been meant: another spelling of it, else one close to it, else None.

    >>> nearest("ms", ["HC", "MS"]), nearest("1", ["sub-001", "sub-010"]), nearest("CIS", ["HC", "MS"])
    ('MS', 'sub-001', None)
    """
    listed = [one for one in known if one != word]
    for same in (key, _bare):
        alike = [one for one in listed if same(one) == same(word)]
        if alike:
            return alike[0]
    folded = {one.casefold(): one for one in reversed(listed)}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=_CLOSE)
    return folded[close[0]] if close else None


def _bare(name: str) -> str:
    """Return the key of a participant's name without its prefix."""
    return key(trim(name).removeprefix("sub-"))


def guess(word: str, known: Iterable[str]) -> str:
    """Return the question whether another word was meant, to be put after a sentence; nothing where none is near."""
    found = nearest(word, known)
    return f" Did you mean {found!r}?" if found is not None else ""


def printable(text: str) -> str:
    r"""Return a text in one line of characters that can be seen: others are written as Python escapes them.

    A name of a file may hold line breaks, escape codes that move a terminal's cursor, letters that turn the line
    around, and bytes that are no text at all (which Python holds as lone surrogates).

    >>> printable("a\x1b[31m\nb\udcff")
    'a\\x1b[31m\\nb\\udcff'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def one_line(text: str) -> str:
    """Return a message as one line: its line breaks and tabs are blanks, as `one_cell` does with the rest."""
    return one_cell(_BREAKS.sub(" ", text))


def one_cell(text: str) -> str:
    r"""Return a text as one cell of a table: control characters and what is no text are written as escapes.

    Two texts stay two, as names of files must.

    >>> one_cell("a\tb\nc\udcff")
    'a\\tb\\nc\\udcff'
    """
    return _NO_TEXT.sub(lambda found: found.group().encode("unicode_escape", "backslashreplace").decode("ascii"), text)


def some(names: Iterable[str], most: int = 10) -> str:
    """List names, the first of many: `a, b and 3 more`."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def listed(names: Iterable[str]) -> str:
    """List names as a sentence does.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def first_paragraph(thing: object) -> str:
    """Return the first paragraph of a docstring as one line; nothing without one."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
