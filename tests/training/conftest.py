"""Made-up scans that a small network can learn from: a bright patch tells the groups apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pellucid.cohort.splits import ROLES
from pellucid.cohort.store import Store
from pellucid.image.grid import MNI_1MM, resized

GRID = resized(MNI_1MM, (73, 74, 72))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Eighteen scans, one a participant, on nearly the smallest grid that the paper's network takes."""
    folder: Path = tmp_path_factory.mktemp("store") / "ms"
    folder.mkdir()
    n = 18
    generator = np.random.default_rng(5)
    label = np.arange(n) % 2
    images = generator.normal(0.0, 1.0, (n, *GRID.shape)).astype(np.float32)
    images[label == 1, 20:50, 20:50, 20:50] += 1.0
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(n)],
            "session_id": [None] * n,
            "group": np.where(label == 1, "MS", "HC"),
            "label": label,
            "sha256": [f"{i:064x}" for i in range(n)],
        }
    )
    return Store(
        folder=folder,
        grid=GRID,
        scaling="robust",
        modality="FLAIR",
        classes={0: "HC", 1: "MS"},
        table=table,
        problems=[],
        images=images,
        brain=np.ones(images.shape, dtype=np.bool_),
        masks=np.zeros(images.shape, dtype=np.bool_),
        resampling="cubic",
    )


@pytest.fixture(scope="session")
def rows() -> dict[str, np.ndarray]:
    """Ten scans to train on, four to validate, four held out."""
    return dict(zip(ROLES, np.split(np.arange(18), [10, 14]), strict=True))
