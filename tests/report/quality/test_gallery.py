"""A picture is a PNG in its folder and a small WebP in the page."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import matplotlib.image
import numpy as np
from matplotlib.figure import Figure

from pellucid.report.quality.gallery import Gallery, shrunk

IMAGE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


def _decoded(uri: str) -> np.ndarray:
    kind, _, content = uri.partition(";base64,")
    assert kind == "data:image/webp"
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(content)), format="webp")


def test_a_picture_lies_in_its_folder_and_in_the_page(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path, Path("sub-1/figures"), "sub-1")
    picture = gallery.picture("brain_T1w", IMAGE, alt="a", caption="c", sources=["x.nii.gz"])
    path = tmp_path / "sub-1/figures/sub-1_desc-brain_T1w.png"
    assert list(picture.sources) == ["sub-1/figures/sub-1_desc-brain_T1w.png", "x.nii.gz"]
    np.testing.assert_array_equal((matplotlib.image.imread(path)[..., :3] * 255).round(), IMAGE)
    assert _decoded(gallery.embed(f"{picture.stem}{picture.suffix}")).shape == IMAGE.shape
    assert _decoded(shrunk(path)).shape == IMAGE.shape


def test_a_chart_is_embedded_as_svg(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path, Path("figures"), "group")
    figure = Figure()
    figure.subplots().plot([0, 1])
    chart = gallery.chart("measures", figure, alt="a", caption="c")
    assert gallery.embed(f"{chart.stem}{chart.suffix}").startswith("data:image/svg+xml;base64,")
    assert (tmp_path / chart.sources[0]).is_file()


def test_clearing_removes_only_its_own(tmp_path: Path) -> None:
    one, other = (Gallery(tmp_path, Path("figures"), prefix) for prefix in ("sub-1", "sub-1_ses-2"))
    one.add("a", IMAGE)
    other.add("a", IMAGE)
    killed, drawn = (tmp_path / "figures" / f".{n}123abcd-sub-1_desc-b.png" for n in (0, 1))
    killed.touch()
    os.utime(killed, (0, 0))
    drawn.touch()  # another page's, at this moment
    one.clear()
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [drawn.name, "sub-1_ses-2_desc-a.png"]
