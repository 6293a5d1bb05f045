"""The pictures of a page: each a file of its own, and within the page as small as can be."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.image
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from pellucid.ground.arrays import UInt8Array
from pellucid.ground.files import atomic_path, remove_leftovers
from pellucid.report.html.blocks import Flicker, Picture
from pellucid.report.html.render import data_uri, embedded
from pellucid.report.pictures.style import save

SECONDS_OF_A_PAGE = 3600.0
"""A half-written picture that is younger may be another page's, which is being drawn at this moment."""

_PNG = {"compress_level": 3}
_WEBP = {"quality": 82, "method": 2}  # a fifth of the PNG, and nothing of it to be seen


@dataclass
class Gallery:
    """Pictures in `root/folder`, their names beginning with `prefix`; a page in `root` embeds them."""

    root: Path
    folder: Path
    prefix: str
    _embedded: dict[str, str] = field(default_factory=dict)

    def clear(self) -> None:
        """Remove what an earlier page left, and what one that was killed long ago left half-written."""
        for path in (self.root / self.folder).glob(f"{self.prefix}_desc-*"):
            path.unlink(missing_ok=True)
        remove_leftovers((self.root / self.folder).glob(f".*-{self.prefix}_desc-*"), seconds=SECONDS_OF_A_PAGE)

    def picture(
        self, stem: str, image: UInt8Array, *, alt: str, caption: str | Markup, sources: Sequence[str] = ()
    ) -> Picture:
        """Write a picture as PNG and return what shows it."""
        stem = self.add(stem, image)
        return Picture(stem=stem, suffix=".png", alt=alt, caption=caption, sources=[*self._file(stem), *sources])

    def flicker(
        self,
        stems: tuple[str, str],
        images: tuple[UInt8Array, UInt8Array],
        *,
        names: tuple[str, str],
        alts: tuple[str, str],
        caption: str | Markup,
        sources: Sequence[str] = (),
    ) -> Flicker:
        """Write two pictures as PNG and return what shows them by turns."""
        one, other = (self.add(stem, image) for stem, image in zip(stems, images, strict=True))
        own = [*self._file(one), *self._file(other)]
        return Flicker(
            stems=(one, other), suffix=".png", names=names, alts=alts, caption=caption, sources=[*own, *sources]
        )

    def chart(
        self, stem: str, figure: Figure, *, alt: str, caption: str | Markup, sources: Sequence[str] = ()
    ) -> Picture:
        """Write a chart as PNG and SVG and return what shows it."""
        stem = f"{self.prefix}_desc-{stem}"
        save(figure, self.root / self.folder / stem)
        return Picture(stem=stem, suffix=".svg", alt=alt, caption=caption, sources=[*self._file(stem), *sources])

    def add(self, stem: str, image: UInt8Array) -> str:
        """Write a picture as PNG, once for each stem; return its whole stem."""
        stem = f"{self.prefix}_desc-{stem}"
        if f"{stem}.png" in self._embedded:
            return stem
        with atomic_path(self.root / self.folder / f"{stem}.png") as temporary:
            matplotlib.image.imsave(temporary, image, pil_kwargs=_PNG)
        self._embedded[f"{stem}.png"] = _webp(image)
        return stem

    def embed(self, name: str) -> str:
        """Return a picture of the gallery as a data URI."""
        return self._embedded.get(name) or embedded(self.root / self.folder / name)

    def _file(self, stem: str) -> list[str]:
        return [(self.folder / f"{stem}.png").as_posix()]


def shrunk(path: Path) -> str:
    """Return a PNG of any other page as a data URI, small."""
    image = matplotlib.image.imread(path)[..., :3]
    return _webp((image * 255).round().astype(np.uint8))


def _webp(image: UInt8Array) -> str:
    content = io.BytesIO()
    matplotlib.image.imsave(content, image, format="webp", pil_kwargs=_WEBP)
    return data_uri(content.getvalue(), ".webp")
