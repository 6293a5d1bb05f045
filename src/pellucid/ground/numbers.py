"""How numbers are written for people, everywhere: on pages, on a terminal and in messages."""

from __future__ import annotations

import math

DASH = "–"
"""What is written for a number that is missing."""


def number(value: float | None, digits: int = 3) -> str:
    """Write a number to some significant digits but no fewer than its whole ones; a dash for what is missing.

    >>> number(0.012345), number(-1234.5), number(float("nan")), number(0)
    ('0.0123', '−1234', '–', '0')
    """
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    if value == 0:
        return "0"
    if abs(value) < 1e-4:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    rounded = float(f"{value:.{digits}g}")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{value:.{decimals}f}".replace("-", "−")


def percent(value: float | None, decimals: int = 1) -> str:
    """Write a share as a percentage: 0.4701 becomes `47.0 %`."""
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    return f"{100 * value:.{decimals}f} %".replace("-", "−")


def score(value: float | None, metric: str) -> str:
    """Write a score: an AUC as 0.925, which is no share of people, any other as 92.5 %.

    >>> score(0.925, "auc"), score(0.925, "sensitivity"), score(float("nan"), "auc")
    ('0.925', '92.5 %', '–')
    """
    if metric != "auc" or value is None or math.isnan(value):
        return percent(value)
    return f"{value:.3f}"


def score_interval(low: float, high: float, metric: str) -> str:
    """Write an interval of a score: `[0.846, 0.981]`, `[84.6, 98.1]`; `no interval` for one that is missing.

    >>> score_interval(0.8463, 1.0, "auc"), score_interval(0.8463, 1.0, "specificity")
    ('[0.846, 1.000]', '[84.6, 100.0]')
    """
    if math.isnan(low) or math.isnan(high):
        return "no interval"
    return f"[{low:.3f}, {high:.3f}]" if metric == "auc" else f"[{100 * low:.1f}, {100 * high:.1f}]"


def whole(value: float | None) -> str:
    """Write a count, with thin spaces between thousands."""
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    return f"{int(value):,}".replace(",", "\u202f")


def seen_share(share: float) -> str:
    """Write how much of an area is seen; only the whole of it is 100 %."""
    if not math.isfinite(share):
        return _not_finite(share)
    return "100 %" if share == 1 else f"{min(round(100 * share), 99)} %"


def duration(value: float | None) -> str:
    """Write a time in seconds for people.

    >>> duration(3.21), duration(48), duration(200), duration(7500)
    ('3.2 s', '48 s', '3 min 20 s', '2 h 05 min')
    """
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    total = round(value)
    if total < 60:
        return f"{value:.1f} s" if value < 10 else f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"


def size(number_of_bytes: float) -> str:
    """Write a number of bytes.

    >>> size(2.04e9), size(35_400_000), size(10)
    ('2.0 GB', '35 MB', '1 MB')
    """
    return f"{number_of_bytes / 1e9:.1f} GB" if number_of_bytes >= 1e9 else f"{max(1, round(number_of_bytes / 1e6))} MB"


def count(n: int, noun: str, many: str | None = None) -> str:
    """Write a count with its noun.

    >>> count(1, "scan"), count(2, "scan"), count(2, "scan or person", "scans or people")
    ('1 scan', '2 scans', '2 scans or people')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {many or f'{noun}s'}"


def fixed(value: float, decimals: int = 3) -> str:
    """Write a number to some decimals, so that those of a column can be compared; `n/a` for what is missing.

    >>> fixed(0.5), fixed(12.345, 1), fixed(float("nan"))
    ('0.500', '12.3', 'n/a')
    """
    return "n/a" if math.isnan(value) else f"{value:.{decimals}f}"


def _not_finite(value: float | None) -> str:
    return DASH if value is None or math.isnan(value) else "∞" if value > 0 else "−∞"
