"""A dataset preprocessed with its pages: a visit that fails has one too, and costs the others nothing."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from pellucid.ground.files import write_json, write_text
from pellucid.preprocess.inputs import find_visits
from pellucid.preprocess.settings import Settings
from pellucid.report.quality.dataset import Preprocessed, preprocess_dataset


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A dataset of two participants whose scans cannot be read."""
    root = tmp_path / "raw"
    write_json(root / "dataset_description.json", {"Name": "raw", "BIDSVersion": "1.10.0"})
    for name in ("sub-01", "sub-02"):
        write_text(root / name / "anat" / f"{name}_T1w.nii.gz", "no image")
    return root


def done(raw: Path, out: Path, ticks: list[str]) -> Preprocessed:
    def tick(number: int, total: int, what: str) -> None:
        ticks.append(f"{number}/{total} {what}")

    return preprocess_dataset(raw, out, Settings(), find_visits(raw), watch=lambda _: nullcontext(tick))


def test_visits_that_fail_are_named_and_have_pages(raw: Path, tmp_path: Path) -> None:
    ticks: list[str] = []
    found = done(raw, tmp_path / "out", ticks)
    assert list(found.failed) == [Path("sub-01"), Path("sub-02")]
    assert all("sub-0" in words for words in found.failed.values())
    assert ticks == ["1/2 sub-01 failed", "2/2 sub-02 failed"]
    assert found.page == tmp_path / "out" / "group.html"
    for page in (found.page, tmp_path / "out" / "sub-01.html", tmp_path / "out" / "sub-02.html"):
        assert "<html" in page.read_text(encoding="utf-8")
    assert set(found.table["participant_id"]) == {"sub-01", "sub-02"}
    found.page.unlink()
    again = preprocess_dataset(raw, tmp_path / "out", Settings(), [])
    assert again.failed == {}
    assert again.page.is_file()


def test_a_page_that_cannot_be_drawn_is_named(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("pellucid.report.quality.dataset.write_visit_page", full)
    found = done(raw, tmp_path / "out", [])
    assert set(found.failed.values()) == {"its page could not be drawn: No space left on device"}
