"""The coil's fault: where and as strong as it is said to be, in patients alone, and absent unless asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.ground.files import read_json, read_tsv
from pellucid.image.grid import MNI_2MM, PAPER_GRID
from pellucid.image.nifti import read_volume
from pellucid.image.scaling import scale
from pellucid.network.field_of_view import field_of_view
from pellucid.network.paper import PaperNetwork
from pellucid.simulate.artefact import CENTRE_MM, GAIN, SPREAD_MM, coil_excess, coil_gain
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings

STRENGTH = 1.5


def cohort(out: Path, artefact: float) -> Path:
    simulate_cohort(out, CohortSettings(patients=2, controls=2, seed=6, voxel_size=4.0, artefact=artefact))
    return out


@pytest.fixture(scope="module")
def with_and_without(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("artefact")
    return cohort(root / "with", STRENGTH), cohort(root / "without", 0.0)


def test_the_excess_is_the_gaussian_that_is_said() -> None:
    excess = coil_excess(MNI_2MM)
    assert excess.dtype == np.float32
    assert np.unravel_index(excess.argmax(), excess.shape) == tuple(np.rint(MNI_2MM.voxel(CENTRE_MM)).astype(int))
    for far, value in ((0.0, 1.0), (SPREAD_MM, np.exp(-0.5)), (2 * SPREAD_MM, np.exp(-2.0))):
        x, y, z = CENTRE_MM
        i, j, k = np.rint(MNI_2MM.voxel((x, y + far, z))).astype(int)
        assert excess[i, j, k] == pytest.approx(value, abs=0.01)
    np.testing.assert_allclose(coil_gain(MNI_2MM, 2.0), 1.0 + 2.0 * GAIN * excess, rtol=1e-6)


def test_the_paper_s_network_sees_all_of_it() -> None:
    seen = field_of_view(PaperNetwork(channels=1)).mask()
    assert seen[coil_excess(PAPER_GRID) > 0.1].mean() > 0.99


def test_patients_have_it_and_controls_do_not(with_and_without: tuple[Path, Path]) -> None:
    faulty, sound = with_and_without
    for row in read_tsv(faulty / "participants.tsv").itertuples():
        for modality in ("FLAIR", "T1w"):
            name = Path(row.participant_id, "anat", f"{row.participant_id}_{modality}.nii.gz")
            if row.group == "HC":
                assert (faulty / name).read_bytes() == (sound / name).read_bytes()
                continue
            one, two = read_volume(faulty / name), read_volume(sound / name)
            signal = two.data > 0.5 * np.median(two.data[two.data > 0])  # where noise and rounding are small
            ratio = one.data[signal] / two.data[signal]
            np.testing.assert_allclose(ratio, coil_gain(one.grid, STRENGTH)[signal], rtol=0.02)


def test_scaling_leaves_it_there(with_and_without: tuple[Path, Path]) -> None:
    people = read_tsv(with_and_without[0] / "participants.tsv").query("group == 'MS'")["participant_id"]
    for who in people:
        one, two = (read_volume(root / who / "anat" / f"{who}_FLAIR.nii.gz") for root in with_and_without)
        planted = (coil_excess(one.grid) > 0.7) & (one.data > 0)
        elsewhere = (coil_excess(one.grid) < 0.05) & (one.data > 0)
        for scaling in ("robust", "max"):
            a, b = (scale(volume.data, volume.data > 0, scaling) for volume in (one, two))
            assert np.median(a[planted] - b[planted]) > np.median(a[elsewhere] - b[elsewhere]) + 0.02


def test_the_truth_says_where_and_how_strongly(with_and_without: tuple[Path, Path]) -> None:
    faulty, sound = (root / "derivatives" / "truth" for root in with_and_without)
    effect = read_json(faulty / "truth.json")["differs_between_groups"]["artefact"]
    assert effect["strength"] == STRENGTH
    assert effect["gain"] == pytest.approx(STRENGTH * GAIN)
    where = read_volume(faulty / f"tpl-MNI152NLin6Asym_desc-{effect['where']}_probseg.nii.gz")
    inside = where.data > 0
    np.testing.assert_allclose(where.data[inside], coil_excess(where.grid)[inside], rtol=1e-5)
    assert where.data.max() == pytest.approx(1.0, abs=0.02)
    assert "artefact" not in read_json(sound / "truth.json")["differs_between_groups"]
    assert not list(sound.glob("*artefact*"))


def test_the_settings_say_whether_there_is_one(with_and_without: tuple[Path, Path]) -> None:
    faulty, sound = (read_json(root / "derivatives" / "truth" / "settings.json") for root in with_and_without)
    assert (sound["artefact"], faulty["artefact"]) == (0.0, STRENGTH)
    assert faulty == sound | {"artefact": STRENGTH}
