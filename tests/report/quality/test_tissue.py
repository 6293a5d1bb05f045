"""Colours of tissue."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

from pellucid.report.quality.tissue import _COLOURS, _OPACITY, tinted


def test_no_tissue_is_grey_and_sure_tissue_has_its_colour() -> None:
    grey = np.array([[0.0, 0.6, 1.0]])
    none = np.zeros_like(grey)
    shares = {"csf": none, "grey": np.array([[0.0, 0.0, 1.0]]), "white": none}
    out = tinted(grey, shares)
    np.testing.assert_allclose(out[0, 0], 0.0)
    np.testing.assert_allclose(out[0, 1], 0.6)
    np.testing.assert_allclose(out[0, 2], (1 - _OPACITY) + _OPACITY * np.array(to_rgb(_COLOURS["grey"])))


def test_mixed_tissue_has_mixed_colours() -> None:
    half = np.full((1, 1), 0.5)
    out = tinted(half, {"csf": half, "white": half})
    mean = (np.array(to_rgb(_COLOURS["csf"])) + np.array(to_rgb(_COLOURS["white"]))) / 2
    np.testing.assert_allclose(out[0, 0], 0.5 * (1 - _OPACITY) + _OPACITY * mean)
