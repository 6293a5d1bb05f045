"""Bad scans and bad models: each named, and the others done. For `predict` and `explain`, which share this."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from pellucid.ground.files import read_json, read_tsv
from pellucid.ground.words import printable
from pellucid.image.nifti import read_volume
from pellucid.maps import explaining, predicting
from pellucid.maps.scans import open_scan as original


def _image(path: Path, data: np.ndarray, affine: np.ndarray, *, code: int = 4) -> None:
    """Write an image byte by byte, for nibabel itself would refuse or mend some of these."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape(data.shape)
    header["sform_code"], header["qform_code"] = code, 0
    header["magic"], header["vox_offset"] = b"n+1", 352
    for name, row in zip(("srow_x", "srow_y", "srow_z"), affine, strict=False):
        header[name] = row
    content = header.binaryblock + b"\0" * 4 + data.astype("<f4").tobytes(order="F")
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


@pytest.fixture
def bad(scans: Path, tmp_path: Path) -> Path:
    """A folder with one scan of every kind that cannot be used."""
    folder = tmp_path / "bad"
    folder.mkdir()
    good = read_volume(scans / "images" / "sub-01_FLAIR.nii.gz")
    data, affine = good.data, good.grid.affine
    content = (scans / "images" / "sub-01_FLAIR.nii.gz").read_bytes()
    (folder / "truncated.nii.gz").write_bytes(content[: len(content) // 2])
    (folder / "nothing.nii.gz").write_bytes(b"")
    (folder / "text.nii").write_text("not an image")
    _image(folder / "series.nii.gz", np.stack([data, data], axis=-1), affine)
    _image(folder / "zero.nii.gz", np.zeros_like(data), affine)
    for name, value in (("nan", np.nan), ("infinite", np.inf)):
        broken = data.copy()
        broken[20, 20, 20] = value
        _image(folder / f"{name}.nii.gz", broken, affine)
    _image(folder / "noaffine.nii.gz", data, affine, code=0)
    flat = affine.copy()
    flat[:3, 2] = 0.0
    _image(folder / "singular.nii", data, flat)
    (folder / "annexed.nii.gz").symlink_to("../.git/annex/objects/q/J/MD5E-s9--0.nii.gz/MD5E-s9--0.nii.gz")
    (folder / "lfs.nii.gz").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (folder / "[bold]\x1b[2J.nii").write_text("a name with markup and an escape code")
    (folder / os.fsdecode(b"\xff.nii")).write_text("a name that is no text")
    moved = affine.copy()
    moved[1, 3] += 45.0
    _image(folder / "moved.nii.gz", data, moved)
    _image(folder / "row.nii", np.ones((2, 2, 5000), np.float32), affine)
    _image(folder / "tiny.nii", data, affine * [[1e-9], [1e-9], [1e-9], [1]])
    _image(folder / "shorter.nii", data, affine)
    whole = bytearray((folder / "shorter.nii").read_bytes())
    whole[42] ^= 8  # a bit of the number of voxels along the first axis
    (folder / "shorter.nii").write_bytes(whole)
    whole[42:48] = b"\xd0\x07" * 3  # 2000 voxels along each
    (folder / "larger.nii").write_bytes(whole)
    os.mkfifo(folder / "pipe.nii.gz")
    os.symlink("/dev/zero", folder / "zeros.nii")
    return folder


WORDS = {
    "truncated.nii.gz": "truncated",
    "nothing.nii.gz": "is empty",
    "text.nii": "not NIfTI",
    "series.nii.gz": "4 dimensions",
    "zero.nii.gz": "every voxel",
    "nan.nii.gz": "NaN or infinite",
    "infinite.nii.gz": "NaN or infinite",
    "noaffine.nii.gz": "no affine",
    "singular.nii": "singular",
    "moved.nii.gz": "not in MNI space",
    "missing.nii.gz": "does not exist",
    "annexed.nii.gz": "datalad get",
    "lfs.nii.gz": "git lfs pull",
    r"[bold]\x1b[2J.nii": "not NIfTI",
    r"\udcff.nii": "not NIfTI",
    "row.nii": "an axis of 5000 voxels",
    "tiny.nii": "which no scan has",
    "shorter.nii": "bytes more than its header says",
    "larger.nii": "truncated",
    "pipe.nii.gz": "it is a pipe",
    "zeros.nii": "it is a device",
}


@pytest.mark.parametrize("name", [name for name in WORDS if "\\" not in name])
def test_a_bad_scan_alone_is_2_and_named(name: str, bad: Path, arm: Path, tmp_path: Path, pellucid) -> None:
    shown = pellucid("predict", arm, bad / name, "--out", tmp_path / "out")
    assert shown.code == 2
    assert WORDS[name] in shown.err
    assert str(bad / name) in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_bad_scans_do_not_stop_the_others(
    verb: str, bad: Path, scans: Path, arm: Path, tmp_path: Path, pellucid
) -> None:
    out = tmp_path / "out"
    shown = pellucid(verb, arm, bad, bad / "missing.nii.gz", scans / "images", "--out", out)
    assert shown.code == 1
    table = read_tsv(out / "predictions.tsv")
    table["name"] = [Path(image).name for image in table["image"]]
    good = table[table["logit"].notna()]
    assert list(good["participant_id"]) == ["sub-01", "sub-02"]
    failed = table[table["logit"].isna()].set_index("name")
    assert set(failed.index) == set(WORDS)
    for name, words in WORDS.items():
        assert words in failed.loc[name, "problems"]
        # At the end, not only where it happened.
        assert any(words in line and name in line for line in shown.err.splitlines()[-len(WORDS) - 1 :])
    assert f"{len(WORDS)} of {len(table)} failed" in shown.err
    described = {entry["image"] for entry in read_json(out / "predictions.json")["Predictions"]}
    assert set(map(printable, described)) == set(table["image"])
    assert "\x1b[2J" not in shown.out + shown.err
    if verb == "explain":
        assert len(list(out.glob("*_relevance.nii.gz"))) == 2
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_a_bug_of_ours_costs_one_scan_and_is_named_with_its_line(
    verb: str, scans: Path, arm: Path, tmp_path: Path, pellucid, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_scan(path: Path, *args: object, **options: object) -> object:
        return np.linalg.inv(np.zeros((3, 3))) if "sub-01" in path.name else original(path, *args, **options)

    for module in (predicting, explaining):
        monkeypatch.setattr(module, "open_scan", open_scan)
    shown = pellucid(verb, arm, scans / "images", "--out", tmp_path / "out")
    assert shown.code == 1
    assert "Traceback" not in shown.err
    table = read_tsv(tmp_path / "out" / "predictions.tsv").set_index("participant_id")
    assert table["logit"].notna().to_dict() == {"sub-01": False, "sub-02": True}
    problem = table.loc["sub-01", "problems"]
    assert problem.startswith("unexpected LinAlgError at ")
    assert problem.endswith("Singular matrix. Please report it.")


def test_an_interruption_ends_all(
    scans: Path, arm: Path, tmp_path: Path, pellucid, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(predicting, "open_scan", interrupted)
    shown = pellucid("predict", arm, scans / "images", "--out", tmp_path / "out")
    assert shown.code not in (0, 1, 2)
    assert not (tmp_path / "out").exists()


def _other_weights(folder: Path, arm: Path) -> None:
    shutil.copytree(arm / "trial-00", folder)
    (folder / "model.safetensors").write_bytes(b"PK\x03\x04 a pickle, perhaps")


def _other_grid(folder: Path, arm: Path) -> None:
    shutil.copytree(arm / "trial-00", folder)
    description = read_json(folder / "model.json")
    description["grid"]["shape"] = [128, 128, 128]
    (folder / "model.json").write_text(json.dumps(description))


def _no_description(folder: Path, arm: Path) -> None:
    shutil.copytree(arm / "trial-00", folder)
    (folder / "model.json").unlink()


def _nothing(folder: Path, arm: Path) -> None:
    del folder, arm


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_other_weights, "not a safetensors file"),
        (_other_grid, "grid"),
        (_no_description, "no model.json"),
        (_nothing, "does not exist"),
    ],
)
@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_a_bad_model_is_2_before_anything_is_written(
    verb: str, spoil, words: str, scans: Path, arm: Path, tmp_path: Path, pellucid
) -> None:
    spoil(tmp_path / "model", arm)
    shown = pellucid(verb, tmp_path / "model", scans / "images", "--out", tmp_path / "out")
    assert shown.code == 2
    assert words in shown.err
    assert str(tmp_path / "model") in shown.err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_images_among_others_costs_the_others_nothing(
    arm: Path, scans: Path, tmp_path: Path, pellucid
) -> None:
    (tmp_path / "empty").mkdir()
    shown = pellucid("predict", arm, tmp_path / "empty", scans / "images", "--out", tmp_path / "out")
    assert shown.code == 1
    assert "1 of 3 failed; the others are done" in shown.err
    assert f"{tmp_path / 'empty'}: the folder holds no .nii or .nii.gz file" in shown.err
    assert read_tsv(tmp_path / "out" / "predictions.tsv")["logit"].notna().sum() == 2


def test_where_all_fail_nothing_is_said_to_be_done_and_no_empty_table_is_shown(
    arm: Path, tmp_path: Path, pellucid
) -> None:
    for name in ("a.nii", "b.nii"):
        (tmp_path / name).write_text("no image")
    shown = pellucid("predict", arm, tmp_path, "--out", tmp_path / "out")
    assert shown.code == 1
    assert "2 of 2 failed; nothing was done" in shown.err
    assert "probability" not in shown.out


def test_a_folder_without_images_is_2(arm: Path, tmp_path: Path, pellucid) -> None:
    (tmp_path / "empty").mkdir()
    shown = pellucid("predict", arm, tmp_path / "empty", "--out", tmp_path / "out")
    assert shown.code == 2
    assert "holds no .nii or .nii.gz file" in shown.err
