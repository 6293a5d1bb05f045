from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from pellucid.cohort import draft, store
from pellucid.cohort.bids import index_bids
from pellucid.cohort.guard import check_leakage
from pellucid.cohort.lesions import lesions_on
from pellucid.cohort.splits import split
from pellucid.cohort.store import Store, build_store, open_store
from pellucid.ground.errors import InputError, LeakageError
from pellucid.ground.files import disk_trouble, sha256
from pellucid.image.grid import PAPER_GRID, Grid
from pellucid.image.nifti import Volume, read_mask, read_volume
from pellucid.image.prepare import prepare
from pellucid.image.scaling import SCALINGS, scale
from pellucid.preprocess import admission

FILES = ["brain.npy", "images.npy", "lesions.npy", "store.json", "table.tsv"]


def build(dataset: Path, name: str, grid: Grid, **options: object) -> Store:
    rows = index_bids(dataset, modality="FLAIR")
    return build_store(rows, dataset.parent / "stores" / name, grid, scaling="robust", **options)  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    assert sorted(path.name for path in folder.iterdir()) == FILES
    return {name: (folder / name).read_bytes() for name in FILES}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which rows are prepared, in this process."""
    done: list[int] = []
    original = draft._do

    def count(job: draft.Job) -> None:
        done.append(job.n)
        original(job)

    monkeypatch.setattr(draft, "_do", count)
    return done


def test_a_row_is_a_prepared_scan(dataset: Path, small: Grid) -> None:
    said: list[tuple[int, int, str]] = []
    made = build(dataset, "ms", small, progress=lambda *args: said.append(args))
    assert said == [(n + 1, 6, f"prepared sub-{n:02d}") for n in range(6)]
    assert contents(made.folder)
    assert made.images.shape == made.brain.shape == (6, *small.shape)
    assert isinstance(made.images, np.memmap)
    assert not made.images.flags.writeable
    assert (made.scaling, made.modality, made.classes, made.problems) == ("robust", "FLAIR", {0: "HC", 1: "MS"}, [])
    assert made.grid == small
    for n, path in enumerate(sorted(dataset.glob("sub-*/anat/*.nii.gz"))):
        volume = read_volume(path)
        scan = prepare(volume, small, scaling="robust")
        np.testing.assert_array_equal(made.images[n], scan.image)
        np.testing.assert_array_equal(made.brain[n], scan.brain)
        assert made.image_path(n) == path
        assert made.scan_name(n) == f"sub-{n:02d}"
        assert replace(made, table=made.table.assign(session_id="ses-2")).scan_name(n) == f"sub-{n:02d}_ses-2"
        for method in SCALINGS:
            brightness = scale(scan.unscaled, scan.brain, method)[scan.brain].astype(float).mean()
            assert made.table[f"brightness_{method}"].iloc[n] == pytest.approx(brightness, rel=1e-12, abs=1e-12)
        mask_path = dataset / "derivatives" / "lesions" / f"sub-{n:02d}" / "anat"
        masks = list(mask_path.glob("*.nii.gz"))
        found = made.lesions(n)
        if masks:
            mask = read_mask(masks[0])
            assert found is not None
            assert found.any()
            np.testing.assert_array_equal(found, lesions_on(mask, small))
            volume_ml = mask.data.sum() * mask.grid.voxel_volume_ml
            assert made.table["lesion_volume_ml"].iloc[n] == pytest.approx(volume_ml)
        else:
            assert found is None
            assert np.isnan(made.table["lesion_volume_ml"].iloc[n])


def test_the_table(dataset: Path, small: Grid) -> None:
    table = build(dataset, "ms", small).table
    assert table.columns.tolist() == [
        *("participant_id", "session_id", "group", "label", "age", "sex", "edss"),
        *("disease_duration_months", "lesion_volume_ml", "image"),
        *("has_lesion_mask", "sha256", "remark"),
        *(f"brightness_{method}" for method in SCALINGS),
    ]
    assert table["label"].tolist() == [1, 0] * 3
    assert table["has_lesion_mask"].tolist() == [True, False, True, False, False, False]
    assert not table["image"].str.startswith("/").any()
    assert table["remark"].isna().all()
    assert table["sha256"].iloc[0] == sha256(dataset / "sub-00" / "anat" / "sub-00_FLAIR.nii.gz")
    assert set(split(table, holdout=0, validation=2, seed=0)["role"]) == {"train", "validation"}


def test_the_dataset_s_own_lesion_volume_counts(dataset: Path, small: Grid) -> None:
    rows = index_bids(dataset, modality="FLAIR")
    rows.loc[0, "lesion_volume_ml"] = 7.28
    made = build_store(rows, dataset.parent / "store", small, scaling="max")
    assert made.table["lesion_volume_ml"].iloc[0] == 7.28
    assert made.table["lesion_volume_ml"].iloc[2] not in (7.28, np.nan)


def test_bad_scans_are_listed_and_the_others_done(dataset: Path, small: Grid, write_scan: Callable[..., Path]) -> None:
    good = build(dataset, "good", small)
    truncate(dataset / "sub-01" / "anat" / "sub-01_FLAIR.nii.gz")
    masks = dataset / "derivatives" / "lesions" / "sub-02" / "anat"
    image = dataset / "sub-03" / "anat" / "sub-03_FLAIR.nii.gz"
    shutil.copy(image, next(masks.glob("*_mask.nii.gz")))  # no binary mask
    image.unlink()
    made = build(dataset, "bad", small)
    assert [name for name, _ in made.problems] == ["sub-01", "sub-02", "sub-03"]
    messages = dict(made.problems)
    assert "sub-01_FLAIR.nii.gz" in messages["sub-01"]
    assert "gzip" in messages["sub-01"]
    assert "not binary" in messages["sub-02"]
    assert "has no FLAIR image" in messages["sub-03"]
    assert made.table["participant_id"].tolist() == ["sub-00", "sub-04", "sub-05"]
    np.testing.assert_array_equal(made.images, good.images[[0, 4, 5]])
    np.testing.assert_array_equal(made.masks, good.masks[[0, 4, 5]])
    assert contents(made.folder)


def test_a_bug_of_ours_costs_one_scan(dataset: Path, small: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoilt(volume: Volume, *args: object, **options: object) -> object:
        return 1 // 0 if "sub-01" in str(volume.path) else prepare(volume, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(admission, "prepare", spoilt)
    made = build(dataset, "spoilt", small)
    ((name, message),) = made.problems
    assert name == "sub-01"
    assert "sub-01_FLAIR.nii.gz: unexpected ZeroDivisionError at" in message
    assert len(made) == 5


def test_no_usable_scan(dataset: Path, small: Grid) -> None:
    for path in dataset.glob("sub-*/anat/*.nii.gz"):
        truncate(path)
    with pytest.raises(InputError, match=r"none of 6 scans can be used; the first: .*sub-00_FLAIR"):
        build(dataset, "ms", small)
    for path in dataset.glob("sub-*/anat/*.nii.gz"):
        path.unlink()
    with pytest.raises(InputError, match=r"has no usable scan; the first problem: .*sub-00"):
        build(dataset, "none", small)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_continued(dataset: Path, small: Grid, counted: list[int], workers: int) -> None:
    truncate(dataset / "sub-01" / "anat" / "sub-01_FLAIR.nii.gz")
    undisturbed = contents(build(dataset, "whole", small).folder)
    counted.clear()
    script = f"""
import os, signal
from pathlib import Path
from pellucid.cohort.bids import index_bids
from pellucid.cohort.store import build_store
from pellucid.image.grid import MNI_1MM, resized

def kill(done, total, what):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    rows = index_bids(Path({str(dataset)!r}), modality="FLAIR")
    build_store(rows, Path({str(dataset.parent / "stores" / "killed")!r}), resized(MNI_1MM, (24, 28, 24)),
                scaling="robust", workers={workers}, progress=kill)
"""
    path = dataset.parent / "kill.py"
    path.write_text(script)
    ended = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False, timeout=100)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    folder = dataset.parent / "stores" / "killed"
    with pytest.raises(InputError, match="contains no finished store"):
        open_store(folder)
    noted = sorted(int(p.stem[-5:]) for p in (folder / "building").glob("scan-*.json"))
    assert len(noted) >= 3
    resumed = build(dataset, "killed", small)
    assert contents(resumed.folder) == undisturbed
    assert set(counted).isdisjoint(noted)
    if workers == 1:
        assert noted == [0, 1, 2]
        assert counted == [3, 4, 5]


@pytest.mark.parametrize("stage", ["_table", "write_json", "rmtree"])
@pytest.mark.parametrize("bad", [False, True])
def test_stopped_while_finishing(
    dataset: Path, small: Grid, counted: list[int], monkeypatch: pytest.MonkeyPatch, stage: str, bad: bool
) -> None:
    if bad:
        truncate(dataset / "sub-01" / "anat" / "sub-01_FLAIR.nii.gz")
    undisturbed = contents(build(dataset, "whole", small).folder)
    counted.clear()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.shutil if stage == "rmtree" else store, stage, stop)
        with pytest.raises(KeyboardInterrupt):
            build(dataset, "stopped", small)
    assert len(counted) == 6
    assert contents(build(dataset, "stopped", small).folder) == undisturbed
    assert len(counted) == 6


def test_stopped_between_two_arrays(dataset: Path, small: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    truncate(dataset / "sub-01" / "anat" / "sub-01_FLAIR.nii.gz")
    undisturbed = contents(build(dataset, "whole", small).folder)
    with monkeypatch.context() as patch:
        unlink = Path.unlink

        def stop(path: Path, **options: bool) -> None:
            if path.name == "brain.npy":
                raise KeyboardInterrupt
            unlink(path, **options)

        patch.setattr(Path, "unlink", stop)
        with pytest.raises(KeyboardInterrupt):
            build(dataset, "stopped", small)
    assert contents(build(dataset, "stopped", small).folder) == undisturbed


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system reserves no space")
def test_a_store_has_its_space_before_it_is_filled(tmp_path: Path) -> None:
    draft.start(tmp_path / "building", "request", (6, 24, 28, 24))
    for name in draft.ARRAYS:
        found = (tmp_path / "building" / f"{name}.npy").stat()
        assert 512 * found.st_blocks >= found.st_size


def refuse_space(monkeypatch: pytest.MonkeyPatch, number: int, *, after: int = 0) -> None:
    """Let no file get space reserved after the first few."""
    asked: list[int] = []

    def refuse(_: int, offset: int, size: int) -> None:
        asked.append(size)
        if len(asked) > after:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)


@pytest.mark.parametrize("finishing", [False, True])
def test_a_full_disk_is_an_error_in_words_and_leaves_nothing_half_made(
    dataset: Path, small: Grid, monkeypatch: pytest.MonkeyPatch, counted: list[int], finishing: bool
) -> None:
    truncate(dataset / "sub-01" / "anat" / "sub-01_FLAIR.nii.gz")
    undisturbed = contents(build(dataset, "whole", small).folder)
    counted.clear()
    folder = dataset.parent / "stores" / "ms"
    with monkeypatch.context() as patch:
        refuse_space(patch, errno.ENOSPC, after=4 if finishing else 1)
        with pytest.raises(OSError) as caught:  # noqa: PT011 (disk_trouble looks at it below)
            build(dataset, "ms", small)
    trouble = disk_trouble(caught.value)
    assert trouble is not None
    assert trouble.what == "the disk is full"
    assert Path(trouble.where).is_relative_to(folder)
    kept = ["building", "images.npy"] if finishing else []
    assert sorted(path.name for path in folder.iterdir()) == kept
    assert contents(build(dataset, "ms", small).folder) == undisturbed
    assert counted == list(range(6))


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, None])
def test_a_file_system_that_reserves_no_space_is_written_to_all_the_same(
    dataset: Path, small: Grid, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    if number is None:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    else:
        refuse_space(monkeypatch, number)
    assert len(build(dataset, "ms", small)) == 6


def test_two_workers_make_the_same_bytes(dataset: Path, small: Grid) -> None:
    one = contents(build(dataset, "one", small).folder)
    assert contents(build(dataset, "two", small, workers=2).folder) == one


def test_workers_that_are_killed_cost_nothing(dataset: Path, small: Grid) -> None:
    killed = 0

    def kill(done: int, total: int, what: str) -> None:
        nonlocal killed
        for worker in multiprocessing.active_children() if done == 2 else ():
            worker.kill()
            killed += 1

    one = contents(build(dataset, "one", small).folder)
    assert contents(build(dataset, "two", small, workers=2, progress=kill).folder) == one
    assert killed


def test_a_finished_store_is_not_built_again(dataset: Path, small: Grid, counted: list[int]) -> None:
    build(dataset, "ms", small)
    counted.clear()
    build(dataset, "ms", small)
    assert counted == []
    rows = index_bids(dataset, modality="FLAIR")
    with pytest.raises(InputError, match="other scans or settings"):
        build_store(rows, dataset.parent / "stores" / "ms", small, scaling="max")
    with pytest.raises(InputError, match="other scans or settings"):
        build_store(rows.iloc[:4], dataset.parent / "stores" / "ms", small, scaling="robust")


def test_a_started_store_of_other_settings_is_started_afresh(dataset: Path, small: Grid, counted: list[int]) -> None:
    def stop(done: int, total: int, what: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    rows = index_bids(dataset, modality="FLAIR")
    folder = dataset.parent / "stores" / "ms"
    with pytest.raises(KeyboardInterrupt):
        build_store(rows, folder, small, scaling="max", progress=stop)
    counted.clear()
    made = build(dataset, "ms", small)
    assert counted == list(range(6))
    assert contents(made.folder) == contents(build(dataset, "fresh", small).folder)


def test_a_run_can_be_moved(dataset: Path, small: Grid, tmp_path: Path, counted: list[int]) -> None:
    build(dataset, "ms", small)
    counted.clear()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "stores").rename(moved / "stores")
    dataset.rename(moved / "bids")
    opened = open_store(moved / "stores" / "ms")
    assert opened.image_path(3) == moved / "bids" / "sub-03" / "anat" / "sub-03_FLAIR.nii.gz"
    assert opened.image_path(3).is_file()
    build(moved / "bids", "ms", small)
    assert counted == []


def test_a_patient(patients: Path, tmp_path: Path) -> None:
    image = tmp_path / "sub-07" / "anat" / "sub-07_FLAIR.nii.gz"
    mask = tmp_path / "derivatives" / "lesions" / "sub-07" / "anat" / "sub-07_label-lesion_mask.nii.gz"
    for path, name in ((image, "FLAIR"), (mask, "lesions")):
        path.parent.mkdir(parents=True)
        shutil.copy(patients / f"patient07_{name}.nii.gz", path)
    (tmp_path / "participants.tsv").write_text("participant_id\tgroup\nsub-07\tMS\n")
    made = build_store(index_bids(tmp_path, modality="FLAIR"), tmp_path / "store", PAPER_GRID, scaling="robust")
    found = made.lesions(0)
    assert found is not None
    volume_ml = np.count_nonzero(nib.load(mask).get_fdata()) / 1000  # its voxels have 1 mm
    assert made.table["lesion_volume_ml"].iloc[0] == pytest.approx(volume_ml)
    assert found.sum() * PAPER_GRID.voxel_volume_ml == pytest.approx(volume_ml, rel=0.1)
    assert made.brain[0][found].mean() > 0.95
    assert np.median(made.images[0][found]) > 1.0  # lesions are bright on FLAIR, in units of the brain's spread
    assert not made.images[0][~made.brain[0]].any()


def test_groups(dataset: Path, small: Grid) -> None:
    rows = index_bids(dataset, modality="FLAIR")
    with pytest.raises(InputError, match=r"the groups are 'HC', 'MS'\. Give two groups, one of them the positive 'AD'"):
        build_store(rows, dataset.parent / "a", small, scaling="robust", positive="AD")
    rows.loc[0, "group"] = "CIS"
    with pytest.raises(InputError, match="the groups are 'CIS', 'HC', 'MS'"):
        build_store(rows, dataset.parent / "b", small, scaling="robust")
    patients = build_store(rows[rows["group"] == "MS"], dataset.parent / "c", small, scaling="robust")
    assert patients.classes == {1: "MS"}
    with pytest.raises(InputError, match="one class only"):
        split(patients.table, holdout=0, validation=1, seed=0)


def test_the_same_image_twice_is_found_by_its_hash(dataset: Path, small: Grid) -> None:
    shutil.copy(
        dataset / "sub-00" / "anat" / "sub-00_FLAIR.nii.gz", dataset / "sub-05" / "anat" / "sub-05_FLAIR.nii.gz"
    )
    made = build(dataset, "ms", small)
    people = split(made.table, holdout=0, validation=2, seed=0)
    with pytest.raises(LeakageError, match="sub-00 = sub-05"):
        check_leakage({"ms": people}, hashes=made.table)


def test_a_damaged_store_is_refused(dataset: Path, small: Grid) -> None:
    with pytest.raises(InputError, match="contains no finished store"):
        open_store(dataset.parent / "nowhere")
    folder = build(dataset, "ms", small).folder
    whole = contents(folder)
    for name, damaged, message in (
        ("images.npy", whole["images.npy"][:-100], "cannot be opened"),
        ("brain.npy", whole["images.npy"][:0], "cannot be opened"),
        ("store.json", b"{}", "it lacks `grid`"),
        ("table.tsv", b"\n".join(whole["table.tsv"].split(b"\n")[:3]), "the table and the grid say"),
    ):
        (folder / name).write_bytes(damaged)
        with pytest.raises(InputError, match=message):
            open_store(folder)
        (folder / name).write_bytes(whole[name])
    pd.testing.assert_frame_equal(open_store(folder).table, build(dataset, "ms", small).table)


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EACCES])
def test_want_of_memory_or_permission_never_advises_to_delete_a_store(
    number: int, dataset: Path, small: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build(dataset, "whole", small)

    def load(path: Path, **_: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(store.np, "load", load)
    with pytest.raises(InputError, match="the file may be whole") as caught:
        open_store(made.folder)
    assert "elete" not in str(caught.value)


def test_scans_may_be_resampled_as_in_the_paper_or_filled(dataset: Path, small: Grid) -> None:
    plain, cubic = build(dataset, "plain", small), build(dataset, "cubic", small, resampling="cubic")
    n = next(n for n in range(len(plain)) if plain.lesions(n) is not None)
    volume = read_volume(plain.image_path(n))
    expected = prepare(volume, small, scaling="robust", resampling="cubic").image
    np.testing.assert_array_equal(cubic.images[n], expected)
    assert not np.array_equal(plain.images[n], expected)
    assert (plain.resampling, cubic.resampling) == ("antialias", "cubic")
    with pytest.raises(InputError, match="other scans or settings"):
        build(dataset, "plain", small, resampling="cubic")
