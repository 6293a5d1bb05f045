"""Maps of lesions are means of the scans that have a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.cohort.store import open_store
from pellucid.ground.files import read_tsv, write_tsv
from pellucid.report.pictures.lesion_maps import hot, lesion_means


def test_masks_are_averaged_and_scans_without_one_left_out(copy: Path) -> None:
    path = copy / "stores" / "ms" / "table.tsv"
    table = read_tsv(path)
    patients = [int(n) for n in table.index[table["group"] == "MS"][:3]]
    table.loc[patients[1], "has_lesion_mask"] = False
    write_tsv(path, table)
    store = open_store(copy / "stores" / "ms")
    found = lesion_means(store, [*patients, int(table.index[table["group"] == "HC"][0])], "MS")
    assert found is not None
    one, _, other = patients
    np.testing.assert_allclose(found.lesions, (store.masks[one].astype(float) + store.masks[other]) / 2)
    assert found.scans == 2
    np.testing.assert_allclose(found.brain, (store.brain[one].astype(float) + store.brain[other]) / 2)
    assert lesion_means(store, [patients[1]], "MS") is None


def test_colours_are_transparent_without_lesion_and_hot_with() -> None:
    rgba = hot(0.5)(np.array([0.0, 0.25, 0.5, 0.9]))
    np.testing.assert_allclose(rgba[:, 3], [0, 0.6, 0.6, 0.6])
    np.testing.assert_allclose(rgba[2, :3], 1.0)
    np.testing.assert_allclose(rgba[2], rgba[3])
    np.testing.assert_allclose(hot(0.0)(np.zeros(2))[:, 3], 0)


def test_shares_of_scans_are_as_exact_as_a_count(finished_run: Path) -> None:
    store = open_store(finished_run / "stores" / "ms")
    rows = [n for n in range(len(store.table)) if store.table["group"].iloc[n] == "MS"][:3]
    found = lesion_means(store, rows, "MS")
    assert found is not None
    assert set(np.unique(found.brain)) <= {count / found.scans for count in range(found.scans + 1)}
