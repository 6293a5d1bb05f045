from __future__ import annotations

import pytest

from pellucid.attribution.naming import imported_by, method_label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("lrp-epsilon", "lrp-epsilon"),
        ("lrp-epsilon:", "lrp-epsilon"),
        ("lrp-epsilon: epsilon = 1e-05", "lrp-epsilon-epsilon-1em05"),
        ("package.module:Mine", "Mine"),
        ("package.module:Mine:p=2,of=all", "Mine-p-2-of-all"),
        ("lrp-rules:rule=a.b:Mine,first=epsilon", "lrp-rules-rule-apbMine-first-epsilon"),
        ("gradient:p=../../etc", "gradient-p-ppppetc"),
        ("", ""),
    ],
)
def test_a_label_is_a_plain_name_of_a_folder(text: str, label: str) -> None:
    assert method_label(text) == label


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("gradient", []),
        ("lrp-epsilon:epsilon=1", []),
        ("a.b:Mine", ["a.b:Mine"]),
        ("lrp-rules:rule=a.b:Mine, first = c:Other,dense=epsilon", ["a.b:Mine", "c:Other"]),
        ("a:Mine:of=b:Other", ["a:Mine", "b:Other"]),
    ],
)
def test_what_a_text_would_import_is_read_off_it(text: str, paths: list[str]) -> None:
    assert imported_by(text) == paths
