"""The JSON Schema: as fresh as the declarations, found from every shipped file, and of one mind with the parser."""

from __future__ import annotations

import datetime
import json
import random
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from jsonschema import Draft4Validator

from pellucid.ground.errors import CombinedInputError, InputError
from pellucid.spec.reading import find_spec, parse_spec, read_spec
from pellucid.spec.schema import study_schema, to_json

STUDIES = sorted(find_spec("demo").parent.glob("*.toml"))
SCHEMA = STUDIES[0].with_name("study.schema.json")
MUTATED = 400

BETWEEN_KEYS = (
    r"names .* which does not exist",
    r"share a name",
    r"leads in a circle",
    r"but it starts from",
    r"starts, through another cohort",
    r"counts bright voxels, and the scaling",
    r"has the name of the baseline that every study",
    r"which is the label that the network predicts",
    r"it needs \d+ models",
    r"`splits\.\w+\.holdout` is ",
    r"`cohorts\.\w+\.positive` is .*, as `negative`",
    r"options`: cannot be given for",
    r"channels` is .*, which .* has not",
    r"stratify` is .* \"group\" first",
    r"deletion` is .* Name some of",
    r"methods` is .* folders of one name",
    r"deletion_voxels` is .* the smallest first",
    r"choose` is 'holdout', but",
    r"components`: .* has no principal components",
    r"folds`: .* has no inner cross-validation",
    r"protocol`: the paper had no",
    r"(components|folds)`: the paper's code used",
)
"""What a schema cannot say: it is about several keys, or about names that other sections give."""

VALUES: list[Any] = [
    *(True, 0, 1, 3, -1, 10**12, 0.5, -0.5, 1.0, 1e9, "", "x", "max", "FLAIR", "paper", "holdout", "Not A Name"),
    *([], ["x"], ["group"], ["age", "group"], [1], [1, 1], [0.5], {}, {"a": 1}, datetime.date(2026, 1, 1)),
]


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DS002748", "/ds002748")


def whole(path: Path) -> dict[str, Any]:
    """Return a shipped study with every default filled in, and where it finds a cluster."""
    cluster = {"queue": "long", "memory": "16GB", "walltime": "08:00:00", "cores": 4, "workers": 10}
    return tomllib.loads(read_spec(path).to_toml()) | {"cluster": {**cluster, "directives": ["--gres=gpu:1"]}}


def places(table: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Find every key, with the table that it is in."""
    for key, value in table.items():
        yield table, key
        if isinstance(value, dict):
            yield from places(value)


def change(table: dict[str, Any], rng: random.Random) -> str:
    """Change a study at one place, and say how."""
    inner, key = rng.choice(list(places(table)))
    how = rng.choice(["drop", "rename", "add", "replace", "replace", "replace", "replace"])
    if how == "add":
        inner["unheard"] = rng.choice(VALUES)
    else:
        value = inner.pop(key)
        if how == "rename":
            inner[f"{key}s"] = value
        if how == "replace":
            inner[key] = rng.choice(VALUES)
    return f"{how} {key}: {inner.get(key)!r}"


def refusals(table: dict[str, Any]) -> list[InputError]:
    """Return what the parser has against a study."""
    try:
        parse_spec(tomli_w.dumps(table), file=Path("/folder/study.toml"))
    except CombinedInputError as error:
        return list(error.errors)
    except InputError as error:
        return [error]
    return []


def test_the_file_is_what_the_declarations_say() -> None:
    fresh = SCHEMA.read_text(encoding="utf-8") == to_json()
    assert fresh, f"it is stale: pellucid study schema > {SCHEMA.relative_to(Path(__file__).parents[2])}"


def test_it_is_a_schema_of_draft_4_without_references() -> None:
    schema = study_schema()
    Draft4Validator.check_schema(schema)
    assert schema["$schema"] == Draft4Validator.META_SCHEMA["id"]
    assert "$ref" not in to_json()


def test_every_key_is_described() -> None:
    def undescribed(node: Any, key: str) -> Iterator[str]:
        for name, inner in node.get("properties", {}).items():
            if not re.match(r".{9,}\.$", inner.get("description", "")):
                yield f"{key}.{name}"
            yield from undescribed(inner, f"{key}.{name}")
        for part in (*node.get("oneOf", ()), *node.get("patternProperties", {}).values()):
            yield from undescribed(part, key)

    assert list(undescribed(study_schema(), "")) == []


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_study_names_it_and_fits(path: Path) -> None:
    """Taplo looks for a relative path from the file on, whose first lines are the only place for it."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert (path.parent / first.removeprefix("#:schema ")).resolve() == SCHEMA.resolve()
    linked = Path(__file__).parents[2] / "studies" / path.name  # the same file, as the repository shows it
    assert (linked.parent / first.removeprefix("#:schema ")).resolve() == SCHEMA.resolve()
    for table in (tomllib.loads(path.read_text(encoding="utf-8")), whole(path)):
        assert [error.message for error in Draft4Validator(study_schema()).iter_errors(table)] == []
        assert refusals(table) == []


def test_what_it_refuses_the_parser_refuses_and_the_other_way_round() -> None:
    schema, rng = Draft4Validator(study_schema()), random.Random(7)
    found: Counter[str] = Counter()
    for number in range(MUTATED):
        path = STUDIES[number % len(STUDIES)]
        table = whole(path)
        how = f"{path.stem}: {change(table, rng)}"
        wrong = [f"{error.what}. {error.fix}" for error in refusals(table)]
        sayable = [text for text in wrong if not any(re.search(rule, text) for rule in BETWEEN_KEYS)]
        if schema.is_valid(table):
            assert sayable == [], how
            found["between keys" if wrong else "taken"] += 1
        else:
            assert wrong, f"{how}: the parser takes it"
            found["refused"] += 1
    assert found["refused"] > MUTATED / 2
    assert min(found.values()) >= 5


@pytest.mark.parametrize(
    ("key", "value"),
    [("learning_rate", float("nan")), ("l2", float("inf")), ("options", {"when": datetime.date(2026, 1, 1)})],
)
def test_the_parser_alone_refuses_what_json_does_not_know(key: str, value: object) -> None:
    table = whole(find_spec("demo"))
    table["training"]["pretraining"] |= {key: value}
    assert any(key in error.what for error in refusals(table))
    assert Draft4Validator(study_schema()).is_valid(table)


def test_it_is_written_in_plain_json() -> None:
    assert json.loads(to_json()) == study_schema()
