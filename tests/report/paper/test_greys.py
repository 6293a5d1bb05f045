"""Scans become grey between black and white, and the background black."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.report.paper.greys import spanned, spanned_words, windowed


def test_greys_lie_between_0_and_1() -> None:
    scan = np.zeros((4, 4, 4))
    scan[1:3] = np.linspace(-2, 5, 32).reshape(2, 4, 4)
    for grey in (windowed(scan), spanned(scan, "robust"), spanned(scan, "max")):
        assert grey.min() == 0
        assert grey.max() == 1
    assert (windowed(scan)[0] == 0).all()
    assert (windowed(np.zeros((2, 2, 2))) == 0).all()
    assert (spanned(np.zeros((2, 2, 2)), "max") == 0).all()
    assert (spanned(scan, "robust")[0] == 0).all()
    assert (spanned(scan, "max")[0] == spanned(scan, "max")[3]).all()
    assert spanned(scan, "max")[0, 0, 0] == pytest.approx(2 / 7)


def test_what_differs_from_the_paper_is_said() -> None:
    assert spanned_words("max") == ""
    assert "percentiles" in spanned_words("robust")
