"""A model named by its folder, its arm or its run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.ground.errors import InputError
from pellucid.maps.model_folder import find_model


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_an_arm_stands_for_its_selected_trial(tmp_path: Path) -> None:
    (tmp_path / "selected.json").write_text('{"trial": "trial-03"}')
    (tmp_path / "trial-00").mkdir()
    assert find_model(tmp_path) == tmp_path / "trial-03"
    assert find_model(tmp_path / "trial-00") == tmp_path / "trial-00"


@pytest.mark.parametrize("content", ["[1]", "{}", "null", '{"trial": 3}', '{"trial": "../../elsewhere"}', "{"])
def test_a_selection_that_names_no_trial_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "selected.json").write_text(content)
    with pytest.raises(InputError, match=r"selected\.json"):
        find_model(tmp_path)


def test_a_run_given_as_a_model_is_told_which_models_it_has(tmp_path: Path) -> None:
    touch(tmp_path / "run", "study.toml", "models/first/selected.json", "models/second/trial-00/model.json")
    for named, offered in (
        (".", "models/first"),
        ("models", "models/second"),
        ("models/second", "models/second/trial-00"),
    ):
        with pytest.raises(InputError, match=r"no model\.json, because it contains several models") as caught:
            find_model(tmp_path / "run" / named)
        assert str(tmp_path / "run" / offered) in caught.value.fix
    with pytest.raises(InputError, match="does not exist"):
        find_model(tmp_path / "none")
