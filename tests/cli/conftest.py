"""What tests of the command line share: the command itself, a small model, a scan, a small cohort."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from pellucid.atlas.template import mni_brain_mask
from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.cli.main import run
from pellucid.ground.files import write_json
from pellucid.image.grid import MNI_2MM, Grid, resized
from pellucid.image.nifti import write_volume
from pellucid.network.files import save_model
from pellucid.network.info import ModelInfo
from pellucid.network.paper import PaperNetwork
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings

COARSE = resized(MNI_2MM, (46, 55, 46))


class Outcome(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def pellucid(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line in this process."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Outcome(code or 0, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an arm with one untrained model of two channels, selected."""
    folder = tmp_path_factory.mktemp("models") / "arm"
    info = ModelInfo(modality="FLAIR", scaling="robust", classes={0: "HC", 1: "MS"})
    save_model(folder / "trial-00", PaperNetwork(channels=2, seed=1), info)
    write_json(folder / "selected.json", {"trial": "trial-00"})
    return folder


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two scans in MNI space at 4 mm, one with a bright spot at (30, -50, 20) mm, and its lesion mask."""
    folder = tmp_path_factory.mktemp("scans")
    fluid, grey, white = tissue_priors(COARSE)
    noise = np.random.default_rng(0).normal(0.0, 4.0, COARSE.shape)
    image = np.where(mni_brain_mask(COARSE), 40.0 * fluid + 115.0 * grey + 100.0 * white + noise, 0.0)
    image = image.clip(0.0).astype(np.float32)
    mask = spot(COARSE)
    write_volume(folder / "images" / "sub-01_FLAIR.nii.gz", image, COARSE)
    write_volume(folder / "images" / "sub-02_FLAIR.nii.gz", np.where(mask, 2 * image.max(), image), COARSE)
    write_volume(folder / "masks" / "sub-02_lesions.nii.gz", mask, COARSE, np.uint8)
    return folder


def spot(grid: Grid) -> np.ndarray:
    """Return a ball of 10 mm around (30, -50, 20) mm."""
    ijk = np.moveaxis(np.indices(grid.shape), 0, -1)
    return np.linalg.norm(grid.world(ijk) - (30.0, -50.0, 20.0), axis=-1) <= 10.0


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated BIDS cohort of five patients and five controls at 4 mm."""
    folder = tmp_path_factory.mktemp("bids") / "ms"
    simulate_cohort(folder, CohortSettings(patients=5, controls=5, seed=5, voxel_size=4.0))
    return folder
