"""`pellucid preprocess` as a user runs it: on real raw scans, with bad ones among them, and on to `explain`."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from pellucid.cli.main import run
from pellucid.cli.preprocess import spread
from pellucid.ground.files import read_json, read_tsv, write_json, write_text
from pellucid.image.grid import MNI_1MM, PAPER_GRID
from pellucid.image.nifti import read_mask, read_volume, write_volume
from pellucid.network.files import save_model
from pellucid.network.info import ModelInfo
from pellucid.network.paper import PaperNetwork
from pellucid.preprocess.itk import moved, read_transform

REAL = ("sub-04",)
DEEP_MM = 35.0
BROKEN = ("sub-cut", "sub-empty", "sub-mirrored", "sub-nowhere", "sub-offgrid", "sub-two")


def command(*arguments: object) -> int:
    """Run the command line; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        run([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def anat(root: Path, participant: str, session: str | None = None) -> Path:
    folder = root / participant / (session or "") / "anat"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def raw(raw_pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw visit with a mask, and six participants that cannot be used."""
    root = tmp_path_factory.mktemp("raw")
    for modality, suffix in (("T1W", "T1w"), ("FLAIR", "FLAIR")):
        shutil.copyfile(
            raw_pairs / f"patient04_study1_{modality}.nii.gz", anat(root, "sub-04") / f"sub-04_{suffix}.nii.gz"
        )
    # Nobody drew the patient's lesions; bright spots deep in the head stand in for them.
    flair = read_volume(root / "sub-04" / "anat" / "sub-04_FLAIR.nii.gz")
    middle = flair.grid.world(ndimage.center_of_mass(flair.data > flair.data.mean()))
    places = flair.grid.world(np.stack(np.indices(flair.data.shape), axis=-1))
    deep = np.linalg.norm(places - middle, axis=-1) < DEEP_MM
    bright = deep & (flair.data > np.percentile(flair.data[deep], 99))
    masks = root / "derivatives" / "lesions"
    write_volume(
        anat(masks, "sub-04") / "sub-04_label-lesion_mask.nii.gz", bright, flair.grid, np.uint8, space="scanner"
    )
    t1w = root / "sub-04" / "anat" / "sub-04_T1w.nii.gz"
    content = gzip.decompress(t1w.read_bytes())
    (anat(root, "sub-cut") / "sub-cut_T1w.nii.gz").write_bytes(t1w.read_bytes()[:50_000])
    (anat(root, "sub-empty") / "sub-empty_T2w.nii.gz").write_bytes(t1w.read_bytes())
    image = nib.Nifti1Image.from_bytes(content)
    affine = image.affine.copy()
    affine[0] *= -1
    image.set_sform(affine, code=1)
    image.set_qform(image.get_qform(), code=1)
    nib.save(image, anat(root, "sub-mirrored") / "sub-mirrored_T1w.nii.gz")
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    nib.save(image, anat(root, "sub-nowhere") / "sub-nowhere_T1w.nii.gz")
    shutil.copyfile(t1w, anat(root, "sub-offgrid") / "sub-offgrid_T1w.nii.gz")
    write_volume(
        anat(masks, "sub-offgrid") / "sub-offgrid_label-lesion_mask.nii.gz", np.ones((4, 4, 4)), MNI_4, np.uint8
    )
    for label in ("a", "b"):
        shutil.copyfile(t1w, anat(root, "sub-two") / f"sub-two_acq-{label}_FLAIR.nii.gz")
    write_json(root / "dataset_description.json", {"Name": "raw", "BIDSVersion": "1.10.0"})
    people = sorted({*REAL, *BROKEN})
    write_text(root / "participants.tsv", "participant_id\tgroup\n" + "".join(f"{p}\tMS\n" for p in people))
    return root


MNI_4 = MNI_1MM.of((4, 4, 4), np.diag([4.0, 4.0, 4.0, 1.0]))


@pytest.fixture(scope="module")
def out(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one command makes of it, in two processes."""
    folder = tmp_path_factory.mktemp("derivatives") / "pellucid"
    assert command("preprocess", raw, folder, "participant", "--n-procs", 2) == 1  # some failed, the rest is done
    return folder


@pytest.mark.slow
def test_every_real_visit_goes_through_and_every_bad_one_is_named(out: Path) -> None:
    table = read_tsv(out / "quality.tsv").set_index("participant_id")
    assert sorted(table.index) == sorted([*REAL, *BROKEN])
    real = table[table["state"] == "done"]
    assert sorted(real.index) == list(REAL)
    assert (real["verdict"] == "pass").all()
    assert (real["brain_dice"] >= 0.92).all()
    assert real.loc["sub-04", "flair_dice"] >= 0.95
    assert real["lesion_ml"].notna().all()
    for name, words in {
        "sub-cut": "truncated or corrupt",
        "sub-empty": "holds neither a T1w nor a FLAIR",
        "sub-mirrored": "disagree about left and right",
        "sub-nowhere": "holds no affine",
        "sub-offgrid": "the mask has the grid of none of its scans",
        "sub-two": "has 2 FLAIR images (sub-two_acq-a_FLAIR.nii.gz, sub-two_acq-b_FLAIR.nii.gz)",
    }.items():
        assert table.loc[name, "state"] == "failed"
        assert words in table.loc[name, "error"]
        assert not list((out / name).rglob("*.nii.gz"))
        assert words.split(" (")[0] in (out / f"{name}.html").read_text().replace("&#39;", "'")
        assert name in (out / "group.html").read_text()


@pytest.mark.slow
def test_outputs_lie_on_their_grids_and_are_0_outside_the_brain(out: Path) -> None:
    folder = out / "sub-04" / "anat"
    brain = read_mask(folder / "sub-04_space-MNI152NLin6Asym_desc-brain_mask.nii.gz")
    assert brain.grid == MNI_1MM
    for suffix in ("desc-brain_T1w", "desc-brain_FLAIR", "desc-filled_FLAIR"):
        scan = read_volume(folder / f"sub-04_space-MNI152NLin6Asym_{suffix}.nii.gz")
        assert scan.grid == MNI_1MM
        assert not scan.data[~brain.data].any()
        assert scan.data.min() >= 0
        network = read_volume(folder / f"sub-04_space-MNI152NLin6Asym_res-network_{suffix}.nii.gz")
        assert network.grid.matches(PAPER_GRID)
        assert 0.3 < np.count_nonzero(network.data == 0) / network.data.size < 0.8
    tissues = [
        read_volume(folder / f"sub-04_space-MNI152NLin6Asym_label-{t}_probseg.nii.gz").data for t in ("CSF", "GM", "WM")
    ]
    assert np.abs(sum(tissues)[brain.data] - 1).max() < 0.01
    assert not sum(tissues)[~brain.data].any()
    header = nib.load(folder / "sub-04_desc-preproc_FLAIR.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)  # the scanner's space, not MNI


@pytest.mark.slow
def test_filling_hides_the_mask_and_touches_nothing_far_from_it(out: Path) -> None:
    folder = out / "sub-04" / "anat"
    stem = "sub-04_space-MNI152NLin6Asym"
    before, after = (read_volume(folder / f"{stem}_desc-{d}_FLAIR.nii.gz").data for d in ("brain", "filled"))
    lesions = read_mask(folder / f"{stem}_label-lesion_mask.nii.gz")
    from pellucid.preprocess.filling import RIM_MM, dilate

    near = dilate(lesions.data, MNI_1MM, RIM_MM)
    assert np.array_equal(before[~near], after[~near])
    measures = read_json(out / "logs" / "sub-04.json")["measures"]
    assert measures["bright_after"] <= 0.05 < measures["bright_before"]
    assert measures["lesion_kept"] == pytest.approx(1.0, abs=0.03)


@pytest.mark.slow
def test_the_saved_transform_takes_the_raw_flair_to_where_it_was_written(out: Path, raw: Path) -> None:
    """Reusable by others: the composed transform, read from its file and applied to the raw scan, gives our output."""
    from pellucid.image.resample import resample

    folder = out / "sub-04" / "anat"
    matrix = read_transform(folder / "sub-04_from-FLAIR_to-MNI152NLin6Asym_mode-image_xfm.txt")
    scan = read_volume(folder / "sub-04_desc-preproc_FLAIR.nii.gz")
    brain = read_mask(folder / "sub-04_space-MNI152NLin6Asym_desc-brain_mask.nii.gz").data
    again = np.where(brain, resample(scan.data, moved(scan.grid, matrix), MNI_1MM).clip(min=0), 0)
    written = read_volume(folder / "sub-04_space-MNI152NLin6Asym_desc-brain_FLAIR.nii.gz").data
    assert np.abs(again - written).max() < 1e-3 * written.max()
    parts = [
        read_transform(folder / f"sub-04_from-{a}_mode-image_xfm.txt")
        for a in ("FLAIR_to-T1w", "T1w_to-MNI152NLin6Asym")
    ]
    assert parts[0] @ parts[1] == pytest.approx(matrix, abs=1e-5)


@pytest.mark.slow
def test_the_official_validator_finds_no_error(out: Path) -> None:
    validator = Path(sys.executable).with_name("bids-validator-deno")
    done = subprocess.run([str(validator), str(out), "--json"], capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [(issue["code"], issue.get("location")) for issue in issues if issue["severity"] == "error"] == []


@pytest.mark.slow
def test_what_is_done_is_not_done_again_and_group_level_makes_tables_anew(
    out: Path, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {path: path.stat().st_mtime_ns for path in (out / "sub-04" / "anat").iterdir()}
    assert command("preprocess", raw, out, "participant", "--participant-label", "04", "--n-procs", 1) == 0
    assert files == {path: path.stat().st_mtime_ns for path in (out / "sub-04" / "anat").iterdir()}
    (out / "group.html").unlink()
    (out / "quality.tsv").unlink()
    assert command("preprocess", raw, out, "group") == 0
    assert len(read_tsv(out / "quality.tsv")) == len(REAL) + len(BROKEN)
    assert (out / "group.html").is_file()
    assert "a BIDS derivative dataset" in capsys.readouterr().out


@pytest.mark.slow
def test_explain_takes_the_dataset_as_it_is(out: Path, tmp_path: Path) -> None:
    """The real end: raw scans to relevance maps."""
    save_model(tmp_path / "model", PaperNetwork(channels=4, seed=2), ModelInfo(modality="FLAIR", scaling="robust"))
    code = command("explain", tmp_path / "model", out, "--lesions", out, "--out", tmp_path / "maps")
    assert code == 0
    rows = read_tsv(tmp_path / "maps" / "predictions.tsv")
    assert len(rows) == len(REAL)
    assert rows["problems"].isna().all()
    assert rows["logit"].notna().all()
    lesions = read_tsv(tmp_path / "maps" / "lesions.tsv").query("map == 'lrp-epsilon'").set_index("participant_id")
    assert lesions["volume_share"].notna().to_dict() == {"sub-04": True}
    maps = sorted((tmp_path / "maps").glob("*_relevance.nii.gz"))
    assert len(maps) == len(REAL)
    for path in maps:
        assert np.abs(read_volume(path).data).max() > 0


@pytest.mark.slow
def test_a_killed_run_goes_on_with_what_another_found_and_ends_with_the_same_files(
    raw: Path, out: Path, tmp_path: Path
) -> None:
    """A real kill, in the middle of a visit whose brains, transforms are given: what follows is equal."""
    given, killed = tmp_path / "given", tmp_path / "killed"
    for pattern in ("*_from-*_xfm.txt", "sub-04_desc-brain_mask.*", "*_space-FLAIR_desc-brain_mask.*"):
        for path in (out / "sub-04" / "anat").glob(pattern):
            shutil.copyfile(path, anat(given, "sub-04") / path.name)
    arguments = [str(Path(sys.executable).with_name("pellucid")), "preprocess", str(raw), str(killed), "participant"]
    arguments += ["--participant-label", "04", "--n-procs", "1", "--derivatives", str(given)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)
    native = killed / "sub-04" / "anat" / "sub-04_desc-preproc_T1w.nii.gz"
    deadline = time.monotonic() + 120
    while not native.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert read_json(killed / "logs" / "sub-04.json")["state"] == "running"
    # It may have been killed while it wrote a file; such a one is there in any case.
    native.with_name(f".0123abcd-{native.name}").write_bytes(b"half")
    assert not list(killed.rglob("*_desc-filled_*.nii.gz"))
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = {(step["step"], step["of"]): step for step in read_json(killed / "logs" / "sub-04.json")["steps"]}
    for step in (("brain extraction", "t1w"), ("brain extraction", "flair"), ("registration", "t1w_to_mni")):
        assert steps[step]["given"]
        assert steps[step]["how"].startswith("given: ")
    names = sorted(path.relative_to(out) for path in (out / "sub-04").rglob("*.nii.gz"))
    assert len(names) >= 10
    assert names == sorted(path.relative_to(killed) for path in (killed / "sub-04").rglob("*.nii.gz"))
    assert not [path for path in killed.rglob(".*-*") if path.suffix != ".lock"]
    for name in names:
        assert (killed / name).read_bytes() == (out / name).read_bytes(), name


def test_several_values_follow_one_option() -> None:
    assert spread(["preprocess", "a", "b", "participant", "--skip", "bias", "crop", "-d", "x", "y", "--seed", "1"]) == [
        *(
            "preprocess",
            "a",
            "b",
            "participant",
            "--skip",
            "bias",
            "--skip",
            "crop",
            "-d",
            "x",
            "-d",
            "y",
            "--seed",
            "1",
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none", "out", "participant"], "the folder does not exist"),
        (["raw", "out", "both"], "the level: is 'both'. Give participant or group"),
        (["raw", "out", "participant", "--skip", "coffee"], '--skip: is \'coffee\'. Give one of "bias", "crop",'),
        (["raw", "out", "participant", "--skull-strip", "never"], "--skull-strip: is 'never'"),
        (["raw", "out", "participant", "--scaling", "z"], "--scaling: is 'z'"),
        (["raw", "out", "participant", "--seed", "-1"], "--seed: is -1"),
        (["raw", "out", "participant", "--n-procs", "0"], "--n-procs: is 0"),
        (["raw", "out", "participant", "--participant-label", "7"], "does not contain sub-7"),
        (["raw", "raw", "participant"], "is the raw dataset itself"),
        (["raw", "out", "group"], "contains no processed visit"),
    ],
)
def test_bad_usage_is_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (anat(tmp_path / "raw", "sub-1") / "sub-1_T1w.nii.gz").touch()
    assert command("preprocess", *arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert re.fullmatch(r"error: .*\n", error)
