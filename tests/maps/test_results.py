"""A folder of results: rows of an earlier call stay, and what is of something else is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import write_json, write_text, write_tsv
from pellucid.maps.results import merged, open_earlier


def test_rows_of_other_scans_stay_and_those_of_these_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    write_tsv(path, pd.DataFrame({"image": ["a", "b", "b"], "x": [0.1 + 0.2, 1 / 3, 2.0]}))
    table = merged(path, pd.DataFrame({"image": ["b"], "x": [5.0]}), key="image", done=["b"])
    assert table.to_dict("list") == {"image": ["a", "b"], "x": [0.1 + 0.2, 5.0]}  # to the last bit
    assert merged(path, pd.DataFrame(), key="image", done=["a"])["image"].tolist() == ["b", "b"]
    assert merged(tmp_path / "none.tsv", table, key="image", done=[]) is table
    with pytest.raises(InputError, match="has no column 'file'"):
        merged(path, table, key="file", done=[])


@pytest.mark.parametrize("content", ["[]", "null", "{}", '{"Predictions": 5}', '{"Predictions": ["a"]}', "{"])
def test_a_damaged_description_is_refused(content: str, tmp_path: Path) -> None:
    write_text(tmp_path / "predictions.json", content)
    with pytest.raises(InputError, match=r"predictions\.json"):
        open_earlier(tmp_path, {})


def test_a_file_in_the_folder_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match="is a file, and results need a folder"):
        open_earlier(tmp_path / "out", {})
    assert open_earlier(tmp_path / "new", {}).names == {}


def test_results_of_another_model_or_method_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "predictions.json", {"ModelSha256": "a", "Methods": {"gradient": {}}, "Predictions": []})
    open_earlier(tmp_path, {"ModelSha256": "a", "Methods": {"gradient": {}}, "Atlas": "x"})
    open_earlier(tmp_path, {"ModelSha256": "a"})
    for made_by, words in (
        ({"ModelSha256": "b"}, "another model"),
        ({"Methods": {"lrp": {}}}, "another set of methods"),
    ):
        with pytest.raises(InputError, match=words):
            open_earlier(tmp_path, made_by)
