"""participants.tsv beside the folders: everybody on whom the two disagree is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.bids.participants import ignored, odd_folders, read_people
from pellucid.ground.files import write_text

names = st.sampled_from(["sub-01", "sub-1", "sub-HC-1", "sub-HC1", "1", "sub-2 ", "", "sub-0_1", "sub-03"])


@given(st.lists(st.tuples(names, st.sampled_from(["MS", "HC", ""])), min_size=1), st.sets(names.filter(str.strip)))
def test_nobody_vanishes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], folders: set[str]
) -> None:
    """Whoever is in the table or has a folder is usable, with a row and a folder, or has a problem by name."""
    root = tmp_path_factory.mktemp("bids")
    for name in folders:
        (root / name.strip()).mkdir(exist_ok=True)
    lines = [f"{name}\t{group}" for name, group in rows if f"{name}{group}".strip()]
    write_text(root / "participants.tsv", "\n".join(["participant_id\tgroup", *(lines or ["sub-01\tMS"])]))
    people = read_people(root)
    everybody = {line.split("\t")[0].strip() for line in lines or ["sub-01\tMS"]} | {
        path.name for path in root.glob("sub-*") if path.is_dir()
    }
    good = people.cells.keys() - people.problems.keys()
    assert good | people.problems.keys() == everybody
    for name in good:
        assert (root / name).is_dir()
        assert name in everybody


def test_the_name_that_is_proposed_is_nobody_else_s(tmp_path: Path) -> None:
    for name in ("sub-01", "sub-0_1", "sub-0-2"):
        (tmp_path / name).mkdir()
    assert "for example" not in odd_folders(tmp_path)["sub-0_1"]
    assert "for example sub-02" in odd_folders(tmp_path)["sub-0-2"]


def test_only_whole_participants_are_ignored_here(tmp_path: Path) -> None:
    for name in ("sub-01", "sub-02", "sub-03", "sub-04"):
        (tmp_path / name).mkdir()
    write_text(tmp_path / ".bidsignore", "sub-01\n/sub-02/\nsub-03/anat/\nsub-0[4-9]*\n!sub-04\n")
    assert set(ignored(tmp_path)) == {"sub-01", "sub-02"}
