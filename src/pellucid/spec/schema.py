"""The JSON Schema of a specification, by which editors complete its keys and mark what is wrong while one types.

It is made of the annotations that `parse_spec` reads by, and of their docstrings. Taplo (Even Better TOML) understands
draft 4 and ignores what stands beside a `$ref`, so the schema is of that draft and without references. It lies in the
package beside the studies that ship, which name it relative to themselves: `#:schema ./study.schema.json`.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from pellucid.engine.cluster import ClusterSettings
from pellucid.ground.checked import adapter, keys_of
from pellucid.simulate.settings import SETTINGS
from pellucid.spec.arms import Arm, Baseline
from pellucid.spec.sections import Analysis, Cohort, Explain, Preparation, Split, Study
from pellucid.spec.spec import Spec

_TABLES = (
    *(Spec, Study, Cohort, *SETTINGS.values(), Preparation, Split, Arm, Baseline, Explain, Analysis),
    ClusterSettings,
)
_GROUPS = ["modality", "positive", "negative"]  # which a simulation brings
_PARAMETERS = re.compile(r"^Parameters\n-+\n(.*?)(?:\n\n\w+\n-+\n|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^(\w[\w, ]*)\n((?:    .*\n?)+)", re.MULTILINE)


def study_schema() -> dict[str, Any]:
    """Return the schema as plain JSON types."""
    found = adapter(Spec).json_schema()
    kinds = {kind.__name__: kind for kind in _TABLES}
    tables = {name: _described(table, kinds[name]) for name, table in found.pop("$defs").items()}
    for simulation in SETTINGS.values():
        del tables[simulation.__name__]["properties"]["seed"]["default"]  # it follows from the study's
    del tables["Cohort"]["required"]
    tables["Cohort"]["oneOf"] = [{"required": ["bids", *_GROUPS]}, {"required": ["simulate"]}]
    schema = _draft_4(_described(found, Spec), tables)
    return {"$schema": "http://json-schema.org/draft-04/schema#", "title": "A study of Pellucid", **schema}


def to_json() -> str:
    """Write the schema as JSON text."""
    return json.dumps(study_schema(), indent=1, ensure_ascii=False) + "\n"


def parameters_of(kind: type[Any]) -> dict[str, str]:
    """Return what the docstrings of a dataclass and its bases say of each key."""
    found: dict[str, str] = {}
    for part in reversed(kind.__mro__[:-1]):
        section = _PARAMETERS.search(inspect.cleandoc(part.__doc__ or ""))
        for names, text in _ENTRY.findall(section[1] if section else ""):
            found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found


def _described(table: dict[str, Any], kind: type[Any]) -> dict[str, Any]:
    """Return the schema of a table with what its docstring says, of the keys that may be given, its own ones first."""
    said, made = parameters_of(kind), table["properties"]
    names = sorted(keys_of(kind), key=lambda name: name not in kind.__annotations__)
    keys = {name: {"description": said[name], **made[name]} for name in names}
    return {**table, "description": inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0], "properties": keys}


def _draft_4(node: dict[str, Any], tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a schema of pydantic's in the words of draft 4: what is referred to in its place, null left out."""
    if "$ref" in node:
        return _draft_4({**tables[node["$ref"].rpartition("/")[2]], **_without(node, "$ref")}, tables)
    parts = [part for part in node.get("anyOf", ()) if part != {"type": "null"}]
    if len(parts) == 1:
        return _draft_4({**parts[0], **_without(node, "anyOf", "default")}, tables)
    found = _without(node, "title", "format", "discriminator", "const")
    for name in ("anyOf", "oneOf"):
        if name in node:
            found[name] = [_draft_4(part, tables) for part in node[name]]
    for name in ("properties", "patternProperties"):
        if name in node:
            found[name] = {key: _draft_4(part, tables) for key, part in node[name].items()}
    if "items" in node:
        found["items"] = _draft_4(node["items"], tables)
    if "patternProperties" in node:
        found["additionalProperties"] = False
    if "discriminator" in node:
        for part in found["oneOf"]:
            part["required"] = [node["discriminator"]["propertyName"]]
    if "const" in node:
        found["enum"] = [node["const"]]
    for name, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if name in node:
            found |= {bound: node[name], name: True}
    return found


def _without(node: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a schema without some of its words."""
    return {name: value for name, value in node.items() if name not in names}
