"""Baselines: classifiers that are no network, fitted once on one store, with a network trial's predictions file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.cohort.splits import ROLES
from pellucid.cohort.store import Store
from pellucid.ground.arrays import IndexArray
from pellucid.ground.errors import InputError
from pellucid.ground.progress import Progress
from pellucid.training.baselines.features import VOXELS, Features
from pellucid.training.baselines.files import BaselineResult, finished_baseline, read_baseline, write_baseline
from pellucid.training.baselines.gram import chunks
from pellucid.training.baselines.kinds import kind_of
from pellucid.training.baselines.search import Data, Fit, Tick
from pellucid.training.baselines.settings import BaselineSettings
from pellucid.training.roles import check_roles, digest_scans, predictions


def run_baseline(
    store: Store,
    rows: Mapping[str, IndexArray],
    settings: BaselineSettings,
    folder: Path,
    *,
    progress: Progress | None = None,
) -> BaselineResult:
    """Fit a baseline and write model, history and predictions; or read them, if that was done before.

    It is fitted to the roles train and validation together, for it validates inside; the holdout is read after the fit.
    No scan is stored: of a machine that is not linear only the predictions remain.

    Parameters
    ----------
    store
        The scans.
    rows
        Rows of the store by role; train is needed, validation and holdout may be absent or empty.
    settings
        What is fitted, and how.
    folder
        Where its files shall lie. model.json is written last: a folder without it is no finished baseline.
    progress
        Called with chunks of voxels read, chunks at most, and what is done; twice if no voxels are read.

    Raises
    ------
    InputError
        An unknown role, one class only, too few participants, a feature that the store lacks, or another baseline in
        the folder.
    LeakageError
        A participant in two roles.
    """
    folder = Path(folder)
    if "train" not in rows:
        raise InputError("rows", "there are no scans with the role train", "Give scans of both groups for this role")
    check_roles(store, rows)
    given = np.concatenate([rows[role] for role in ROLES if role in rows])
    features = kind_of(settings).features(store, settings, given)
    asked = {
        "settings": settings.to_json(),
        "store": {"modality": store.modality, "scaling": store.scaling, "grid": store.grid.to_json()},
        "scans_sha256": digest_scans(store, rows),
        "features_sha256": _digest_features(features, given),
    }
    finished = finished_baseline(folder)
    if finished is not None:
        if any(finished.described.get(key) != value for key, value in asked.items()):
            raise InputError(folder, "contains a baseline with other settings or scans", "Name another folder")
        return finished
    start = time.perf_counter()
    roles = {role: index[features.reasons[index] == ""] for role, index in rows.items()}
    excluded = _excluded(store, rows, features)
    data = _data(store, features, roles, excluded)
    fit = _fit(data, features, settings, progress)
    described = asked | {
        "scans": {role: len(roles[role]) for role in ROLES if role in roles},
        "excluded": excluded,
        "seconds": round(time.perf_counter() - start, 3),
    }
    logit = np.full(len(store), np.nan)
    logit[data.rows] = fit.decision
    found = {role: logit[index] for role, index in roles.items()}
    predicted = predictions(store, roles, found, probable=kind_of(settings).log_odds)
    write_baseline(folder, store, features, fit, predicted, described)
    return read_baseline(folder)


def _excluded(store: Store, rows: Mapping[str, IndexArray], features: Features) -> list[dict[str, Any]]:
    """Return who is left out, and why."""
    sessions = store.table["session_id"].astype(object).where(store.table["session_id"].notna(), None)
    return [
        {
            "participant_id": str(store.table["participant_id"].iloc[n]),
            "session_id": sessions.iloc[n],
            "role": role,
            "reason": str(features.reasons[n]),
        }
        for role in ROLES
        for n in rows.get(role, [])
        if features.reasons[n]
    ]


def _data(store: Store, features: Features, roles: Mapping[str, IndexArray], excluded: list[dict[str, Any]]) -> Data:
    """Return what is fitted and predicted; refuse one class only."""
    fit = np.sort(np.concatenate([roles[role] for role in ("train", "validation") if role in roles]))
    groups = sorted(set(store.table["group"].iloc[fit]))
    if len(groups) < 2:
        out = f"; {len(excluded)} scans are excluded, the first: {excluded[0]['reason']}" if excluded else ""
        what = f"a study with one class only ({', '.join(groups) or 'no participants'}){out}"
        raise InputError("train", what, "Give scans of both groups for this role")
    return Data(
        x=features.x,
        labels=store.table["label"].to_numpy(dtype=np.int64),
        participants=store.table["participant_id"].to_numpy(dtype=object),
        fit=fit,
        other=np.asarray(roles.get("holdout", []), dtype=np.intp),
    )


def _fit(data: Data, features: Features, settings: BaselineSettings, progress: Progress | None) -> Fit:
    """Fit the baseline that the settings name."""
    total = 2 * chunks(data.x, data.fit) + chunks(data.x, data.rows)
    tick = _ticker(total, settings.kind, progress)
    fit = kind_of(settings).fit(data, features, settings, tick)
    if progress is not None:
        progress(total, total, f"fitted {settings.kind}")
    return fit


def _ticker(total: int, kind: str, progress: Progress | None) -> Tick:
    """Return a function that reports one more chunk at each call."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total, f"reading for {kind}")

    return tick


def _digest_features(features: Features, given: IndexArray) -> str | None:
    """Return the SHA-256 of features that are not the images, whose files are hashed already."""
    if features.names == VOXELS:
        return None
    return hashlib.sha256(features.x[given].tobytes()).hexdigest()
