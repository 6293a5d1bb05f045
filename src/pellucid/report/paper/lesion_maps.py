"""Figure S3: where in the brain the lesions of patients and of controls lie."""

from __future__ import annotations

from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array
from pellucid.ground.numbers import number, percent
from pellucid.image.grid import MNI_1MM, Grid
from pellucid.image.planes import planes, to_ras
from pellucid.report.paper.material import Drawing, Material, MissingError
from pellucid.report.paper.tiles import PAPER_FRAME, draw_paper_tiles, paper_centre, tile_data
from pellucid.report.pictures.brain import Bar
from pellucid.report.pictures.lesion_maps import GREY, OPACITY, hot, lesion_block, lesion_means

SLICE = 92
"""The paper's axial slice: an index of the 1 mm grid."""

_WIDTH = 7.6


def figure_s3(material: Material) -> Drawing:
    """Draw mean lesion maps over the mean brain mask, a group each, side by side (Eitel 2019, Figure S3)."""
    store = _store(material)
    rows, whose = material.rows_trained_on(store)
    centre = paper_centre()
    centre[2] = MNI_1MM.world((0, 0, SLICE))[2]
    known, blocks = [], []
    for group in material.groups:
        found = lesion_means(store, rows, group)
        if found is None:
            raise MissingError(f"no scan of group {group} has a lesion mask")
        limit = slice_top(found.lesions, store.grid, centre)
        if group == material.groups[0] and not found.lesions.any():
            raise MissingError("the patients' lesion masks are empty")
        white = f"white: {percent(limit)} of them" if limit > 0 else "no lesion in this slice"
        title = f"{group}: {found.scans} scans, {white}"
        highest = float(found.lesions.max())
        known.append({"title": title, "group": group, "scans": found.scans, "highest": highest, "limit": limit})
        blocks.append(lesion_block(title, store.grid, found, centre, limit))
    data = tile_data(store.grid, [(one, centre) for one in known])
    data = data[data["plane"] == "axial"].reset_index(drop=True)
    note = _note(whose, centre)
    bar = Bar(hot(1.0), 0.0, 1.0, ((0.0, "no lesion"), (1.0, "own maximum of each picture")), backdrop=GREY)
    figure = draw_paper_tiles(blocks, PAPER_FRAME, note=note, bar=bar, width=_WIDTH, across=2, names=("axial",))
    return Drawing(figure, data, note, (material.run.relative(store.folder),))


def slice_top(values: Float64Array, grid: Grid, centre: Float64Array) -> float:
    """Return the largest value in the axial slice through a centre: where the colours of one picture alone end."""
    turned, ras = to_ras(values, grid)
    axial, *_ = planes(ras, centre)
    return float(axial.cut(turned).max())


def _store(material: Material) -> Store:
    """Return the store of the main arm's cohort."""
    cohort = material.spec.training[material.main].cohort
    store = dict(material.run.stores()).get(cohort)
    if store is None:
        raise MissingError(f"the run has no stores/{cohort}")
    return store


def _note(whose: str, centre: Float64Array) -> str:
    return (
        f"As in the paper: mean lesion map (colours `hot`, opacity {OPACITY}) over the mean brain mask of {whose} "
        f"participants, axial slice {SLICE} of the 1 mm grid (z = {number(float(centre[2]), 2)} mm), patients left, "
        "controls right. Each picture has its own colour scale, so the controls' few lesions look as bright as the "
        "patients'. Unlike the paper: left is left, and scans without a mask are excluded, not filled with noise. "
        "For research only."
    )
