"""`pellucid explain`: map, picture, regions, ledger and lesion table."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest
import torch

import pellucid as package
from pellucid.cohort.lesions import lesions_on
from pellucid.ground.files import read_json, read_tsv
from pellucid.image.grid import MNI_2MM, PAPER_GRID
from pellucid.image.nifti import read_mask, read_volume, write_volume
from pellucid.image.prepare import prepare
from pellucid.network.field_of_view import field_of_view
from pellucid.network.files import load_model, save_model
from pellucid.report.pictures.scan import draw_scan
from pellucid.report.pictures.style import ALARM
from pellucid.trust.lesions import columns
from pellucid.trust.nulls import NULLS


def test_explaining_writes_map_picture_regions_ledger_and_lesions(
    arm: Path, scans: Path, tmp_path: Path, pellucid
) -> None:
    out = tmp_path / "out"
    masks = scans / "masks"
    shown = pellucid("explain", arm, scans / "images", "--native", "--lesions", masks, "--out", out)
    assert shown.code == 0, shown.err
    stem = "sub-02_FLAIR_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance"
    native = stem.replace("_desc", "_res-native_desc")
    volume, own = read_volume(out / f"{stem}.nii.gz"), read_volume(out / f"{native}.nii.gz")
    scan = read_volume(scans / "images" / "sub-02_FLAIR.nii.gz")
    assert volume.grid.matches(PAPER_GRID)
    assert own.grid.matches(scan.grid)
    assert (out / f"{stem}.png").read_bytes().startswith(b"\x89PNG")

    # The same as the library's own call.
    x = torch.tensor(prepare(scan, PAPER_GRID, scaling="robust").image)[None, None]
    expected = package.explain(load_model(arm / "trial-00"), x, method="lrp-epsilon", epsilon=1e-3)
    np.testing.assert_array_equal(volume.data, expected.relevance[0, 0].numpy())
    ledger = read_tsv(out / "ledger.tsv").query("participant_id == 'sub-02'")
    assert list(ledger["layer"]) == [entry.layer for entry in expected.ledger]

    sidecar = read_json(out / f"{stem}.json")
    assert sidecar["SeedNeuron"] == "logit"
    assert sidecar["Parameters"] == {"epsilon": 1e-3}
    assert sidecar["FieldOfView"]["Stops"] == [71, 98, 71]
    assert len(sidecar["ModelSha256"]) == 64

    # What it sums to stands in the sidecars of both copies, in the table and on the terminal.
    total, gross = (float(values.sum(dtype=np.float64)) for values in (volume.data, np.abs(volume.data)))
    for side in (sidecar, read_json(out / f"{native}.json")):
        assert side["Sums"]["Sum"] == pytest.approx(total, abs=1e-9)
        assert side["Sums"]["Gross"] == pytest.approx(gross)
        assert side["Alarms"] == sidecar["Alarms"]
    absorbed = ledger["absorbed_bias"].sum()
    sums = read_tsv(out / "sums.tsv").set_index("participant_id").loc["sub-02"]
    assert sums["gross_per_logit"] == pytest.approx(gross / abs(sums["logit"]))
    assert sums["absorbed_bias"] == pytest.approx(absorbed)
    wrong = [np.sign(total) != np.sign(sums["logit"]), abs(absorbed) > abs(sums["logit"])]
    assert sums["alarm"] == ("+".join(np.array(["sign", "bias"])[wrong]) or "none")
    assert f"  logit {sums['logit']:+.3g}, the map sums to {total:+.3g}, gross relevance" in shown.out
    assert "times |logit|" in shown.out

    regions = read_tsv(out / "regions.tsv")
    assert regions.groupby("participant_id")["area"].nunique().to_dict() == {"sub-01": 68, "sub-02": 68}
    assert "strongest regions" in shown.out

    lesions = read_tsv(out / "lesions.tsv").set_index(["participant_id", "map"])
    measured, unmeasured = lesions.loc["sub-02"], lesions.loc["sub-01"]
    assert unmeasured["lift"].isna().all()  # no mask is missing, not zero
    assert measured.loc["intensity", "lift"] > 1  # the spot is bright
    assert np.isnan(measured.loc["mean-lesion", "lift"])  # no training cohort at hand
    assert "n/a: mean-lesion, intensity-x-prior, logistic: a study writes nulls.json beside its models" in shown.out
    assert "sub-01_FLAIR.nii.gz: lesions: n/a, no lesion mask" in shown.out
    assert list(measured.index) == ["lrp-epsilon", "|lrp-epsilon|", *NULLS]
    judged = pellucid("judge", out / f"{stem}.nii.gz", "--lesions", masks, "--out", tmp_path / "judged")
    assert judged.code == 0, judged.err
    again = read_tsv(tmp_path / "judged" / "lesions.tsv").set_index("map")
    assert again["brain_from"].eq("image").all()
    names = [column for column in columns() if column != "reason"]
    np.testing.assert_allclose(again[names], measured[names], rtol=1e-9)
    assert judged.out.count("brightest-percent") + judged.out.count("intensity") > 0  # the best null is named
    view = field_of_view(load_model(arm / "trial-00")).mask()
    brain = prepare(scan, PAPER_GRID, scaling="robust").brain & view
    positive = np.maximum(volume.data, 0) * brain
    drawn = lesions_on(read_mask(masks / "sub-02_lesions.nii.gz", scan.grid), PAPER_GRID)
    share = positive[drawn & brain].sum() / positive.sum()
    assert measured.loc["lrp-epsilon", "positive_share"] == pytest.approx(share, rel=1e-5)
    # The mask lies where the spot was put.
    middle = PAPER_GRID.world(np.argwhere(drawn).mean(axis=0))
    np.testing.assert_allclose(middle, (30.0, -50.0, 20.0), atol=1.0)


def test_several_methods_give_maps_and_rows_each(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    image, masks, out = scans / "images" / "sub-02_FLAIR.nii.gz", scans / "masks", tmp_path / "out"
    asked = ["lrp-epsilon", "lrp-epsilon:epsilon=0.01", "gradient"]
    options = [word for method in asked for word in ("--method", method)]
    shown = pellucid("explain", arm, image, *options, "--lesions", masks, "--out", out)
    assert shown.code == 0, shown.err
    for method in asked:
        assert f"sub-02_FLAIR.nii.gz, {method}: strongest regions" in shown.out
    maps = sorted(out.glob("*_relevance.nii.gz"))
    labels = [path.name.split("_desc-")[1].split("_")[0] for path in maps]
    assert labels == ["gradient", "lrpEpsilonEpsilon0p01", "lrpEpsilon"]
    assert all(path.with_name(path.name.replace(".nii.gz", ".png")).is_file() for path in maps)
    assert len(read_tsv(out / "predictions.tsv")) == 1  # a scan, whatever its maps
    for name, methods in (("regions", asked), ("sums", asked), ("lesions", asked), ("ledger", asked[:2])):
        assert list(read_tsv(out / f"{name}.tsv")["method"].unique()) == methods, name
    model = load_model(arm / "trial-00")
    x = torch.tensor(prepare(read_volume(image), PAPER_GRID, scaling="robust").image)[None, None]
    for path, (method, parameters) in zip(
        maps, (("gradient", {}), ("lrp-epsilon", {"epsilon": 0.01}), ("lrp-epsilon", {})), strict=True
    ):
        expected = package.explain(model, x, method=method, **parameters)
        np.testing.assert_array_equal(read_volume(path).data, expected.relevance[0, 0].numpy())

    # Whoever judges them knows them apart, and measures the same.
    judged = pellucid("judge", out, "--lesions", masks, "--out", tmp_path / "judged")
    assert judged.code == 0, judged.err
    again, made = (read_tsv(folder / "lesions.tsv") for folder in (tmp_path / "judged", out))
    assert set(asked) < set(again["map"])
    for method in asked:
        values = [table.loc[table["map"] == method, "auroc"].item() for table in (again, made)]
        assert values[0] == pytest.approx(values[1], rel=1e-9)

    twice = pellucid("explain", arm, image, "--method", "gradient", "--method", "gradient", "--out", tmp_path / "no")
    assert twice.code == 2
    assert "method: gradient stands twice" in twice.err


def test_python_writes_what_the_command_writes(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    image, mask = scans / "images" / "sub-02_FLAIR.nii.gz", scans / "masks" / "sub-02_lesions.nii.gz"
    out, command = tmp_path / "python", tmp_path / "command"
    found = package.maps.explain_scan(image, arm, lesions=mask, native=True, out=out)
    assert pellucid("explain", arm, image, "--lesions", mask, "--native", "--out", command).code == 0
    draw_scan(found)
    names = {path.name for path in command.iterdir()}
    assert {path.name for path in out.iterdir()} == names
    for name in names:
        if name.endswith(".nii.gz"):
            np.testing.assert_array_equal(read_volume(out / name).data, read_volume(command / name).data)
        else:
            assert (out / name).read_bytes() == (command / name).read_bytes(), name
    sidecars = {name for name in names if name.endswith("_relevance.json")}
    assert {path.name for path in found.files} == {name for name in names if not name.endswith(".png")} - sidecars


def test_other_methods_and_their_parameters(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    image = scans / "images" / "sub-01_FLAIR.nii.gz"
    out = tmp_path / "out"
    assert pellucid("explain", arm, image, "--method", "input-x-gradient", "--out", out).code == 0
    assert (out / "sub-01_FLAIR_space-MNI152NLin6Asym_desc-inputXGradient_relevance.nii.gz").is_file()
    for arguments, words in (
        (["--method", "lrp_epsilon"], "Did you mean lrp-epsilon?"),
        (["--method", "lrp-epsilon:epsilon=0"], "is not above 0"),
        (["--method", "gradient:epsilon=0.1"], "takes no parameters"),
        (["--atlas", "nowhere"], "nowhere"),
    ):
        shown = pellucid("explain", arm, image, "--out", tmp_path / "no", *arguments)
        assert shown.code == 2
        assert words in shown.err
    assert not (tmp_path / "no").exists()


def test_a_map_that_does_not_add_up_alarms_everywhere(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    """A bias that outvotes all voxels leaves a map of the other sign."""
    broken = tmp_path / "models" / "arm" / "trial-00"
    image, out = scans / "images" / "sub-01_FLAIR.nii.gz", tmp_path / "out"
    model = load_model(arm / "trial-00")
    with torch.no_grad():
        x = torch.tensor(prepare(read_volume(image), PAPER_GRID, scaling="robust").image)[None, None]
        model.fc.bias -= 1.2 * model(x)
    save_model(broken, model, model.info)
    shown = pellucid("explain", broken, image, "--out", out)
    assert shown.code == 0, shown.err
    stem = "sub-01_FLAIR_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance"
    alarms = read_json(out / f"{stem}.json")["Alarms"]
    row = read_tsv(out / "sums.tsv").iloc[0]
    assert row["alarm"] == "sign+bias"
    assert len(alarms) == 2
    for alarm in alarms:
        assert f"ALARM: {alarm}" in shown.out
    picture = matplotlib.image.imread(out / f"{stem}.png")[..., :3]
    red = (np.abs(picture - matplotlib.colors.to_rgb(ALARM)).max(axis=-1) < 0.02).sum()
    assert red > 200  # letters

    plain = pellucid("explain", broken, image, "--method", "gradient", "--out", tmp_path / "plain")
    assert "not checked, because the method has no ledger" in plain.out
    assert "ALARM" not in plain.out
    side = read_json(next((tmp_path / "plain").glob("*_relevance.json")))
    assert side["Alarms"] is None
    assert side["Sums"]["GrossPerLogit"] > 0


def test_scans_of_one_name_do_not_overwrite_each_other(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        shutil.copy(scans / "images" / "sub-01_FLAIR.nii.gz", tmp_path / folder / "scan.nii.gz")
    out = tmp_path / "out"
    assert pellucid("explain", arm, tmp_path / "one", tmp_path / "two", "--out", out).code == 0
    assert sorted(path.name.partition("_")[0] for path in out.glob("*_relevance.nii.gz")) == ["one-scan", "two-scan"]


def _break_mask(kind: str, scans: Path, path: Path) -> str:
    good = read_volume(scans / "masks" / "sub-02_lesions.nii.gz")
    if kind == "not binary":
        write_volume(path, good.data * 0.5, good.grid)
        return "not binary"
    if kind == "another grid":
        write_volume(path, np.ones(MNI_2MM.shape, dtype=np.uint8), MNI_2MM, np.uint8)
        return "lies on another grid"
    return "does not exist"


@pytest.mark.parametrize("kind", ["not binary", "another grid", "missing"])
def test_a_bad_mask_is_named_and_the_map_is_kept(kind: str, scans: Path, arm: Path, tmp_path: Path, pellucid) -> None:
    mask = tmp_path / "sub-02_lesions.nii.gz"
    words = _break_mask(kind, scans, mask)
    out = tmp_path / "out"
    shown = pellucid("explain", arm, scans / "images", "--lesions", mask, "--out", out)
    assert shown.code == 1
    assert words in shown.err
    assert str(mask) in shown.err
    table = read_tsv(out / "predictions.tsv").set_index("participant_id")
    assert words in table.loc["sub-02", "problems"]
    assert table["logit"].notna().all()
    assert len(list(out.glob("*_relevance.nii.gz"))) == 2
    assert set(read_tsv(out / "lesions.tsv")["participant_id"]) == {"sub-01"}


def test_names_of_any_bytes_are_explained_and_seen(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    """A byte that is no text, a line break, an escape code, a formula, markup: each its map, its row and its name."""
    names = [os.fsdecode(b"a\xff"), "b\nc", "d\x1b[2J", "e$\\foo{$", "f[bold]"]
    for name in names:
        shutil.copy(scans / "images" / "sub-01_FLAIR.nii.gz", tmp_path / f"{name}_FLAIR.nii.gz")
    out = tmp_path / "out"
    for _ in range(2):  # the second call replaces its own rows
        shown = pellucid("explain", arm, *sorted(tmp_path.glob("*_FLAIR.nii.gz")), "--out", out)
        assert shown.code == 0, shown.err
    seen = [r"a\udcff", r"b\nc", r"d\x1b[2J", r"e$\foo{$", "f[bold]"]
    table = read_tsv(out / "predictions.tsv")
    assert sorted(table["image"]) == [f"{tmp_path}/{name}_FLAIR.nii.gz" for name in seen]
    for name in seen:
        assert f"{name}_FLAIR.nii.gz: map " in shown.out
    assert "\x1b" not in shown.out + shown.err
    assert len(list(out.glob("*_relevance.png"))) == len(list(out.glob("*_relevance.nii.gz"))) == len(names)
