"""What a setting may be: declared once, at its field, as `Annotated[int, Whole(1, 256)]`.

Pydantic checks it (`ground.checked`), an error and docs/own-study.md say it in `words`, and the JSON Schema of a study
holds it. Upper bounds lie beyond any study that was ever run: what is larger would take all memory, or all time, before
the first word is printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pellucid.ground.errors import InputError

MOST_SEED = 2**63 - 1
"""The largest whole number that TOML knows."""

_MANY = 10_000  # items of a list

Handler = Callable[[Any], Any]
"""How pydantic goes on: from an annotation to its core schema, from a core schema to JSON Schema."""


class RefusedError(ValueError):
    """What a check of our own found, so that pydantic gathers it with what it finds itself."""

    def __init__(self, error: InputError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `least` to `most`; neither 4.0 nor true is one."""

    least: int
    most: int = MOST_SEED

    @property
    def words(self) -> str:
        """What is accepted."""
        upper = f"from {self.least} to {self.most:,}" if self.most < MOST_SEED else f"of at least {self.least}"
        return f"a whole number {upper}"

    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> dict[str, Any]:
        return {**handler(source), "strict": True, "ge": self.least, "le": self.most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A finite number, whole or not: `least` <= x <= `most`, `above` < x, x < `below`; neither text nor true is one."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> dict[str, Any]:
        bounds = {"ge": self.least, "le": self.most, "gt": self.above, "lt": self.below}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        return {**handler(source), "strict": True, "allow_inf_nan": False, **given}


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is one of `names`, or matches the regular expression `pattern` whole."""

    pattern: str
    words: str
    names: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> dict[str, Any]:
        return {**handler(source), "pattern": f"^(?:{'|'.join((*self.names, self.pattern))})$"}

    def __get_pydantic_json_schema__(self, core: Any, handler: Handler) -> dict[str, Any]:
        found: dict[str, Any] = handler(core)
        if not self.names:
            return found
        return {"anyOf": [{"type": "string", "enum": list(self.names)}, {**found, "pattern": f"^(?:{self.pattern})$"}]}


@dataclass(frozen=True, slots=True)
class Several:
    """A list of `least` to `most` items, each once."""

    least: int = 1
    most: int = _MANY

    @property
    def words(self) -> str:
        """What is accepted, after `a list`."""
        number = f" of {self.least} to {self.most}" if self.most < _MANY else " of one or more" if self.least else ""
        return f"{number}, each once"

    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> Any:
        from pydantic_core import core_schema

        sized = {**handler(source), "min_length": self.least, "max_length": self.most}
        return core_schema.no_info_after_validator_function(_each_once, sized)

    def __get_pydantic_json_schema__(self, core: Any, handler: Handler) -> dict[str, Any]:
        return {**handler(core["schema"]), "uniqueItems": True}


@dataclass(frozen=True, slots=True)
class Words:
    """What is accepted, in words, where the annotation alone does not say it well."""

    words: str


@dataclass(frozen=True, slots=True)
class Exactly:
    """True or false: neither 1 nor "yes"."""

    words: str = "true or false"

    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> dict[str, Any]:
        return {**handler(source), "strict": True}


Limit = Whole | Number | Text | Words | Exactly

Name = Annotated[str, Text("[a-z0-9][a-z0-9-]{0,63}", "a name of a-z, 0-9 and -, 64 at most, for it names a folder")]
"""What studies, cohorts and arms may be called."""

MethodName = Annotated[
    str,
    Text(r"[A-Za-z_][\w.-]*(?::[^\x00-\x1f\x7f-\x9f\u2028\u2029]*)?", 'a method, "NAME" or "NAME:key=value,key=value"'),
]
"""What an attribution method may be called; whether there is such a method is known only once its code is at hand."""

LINE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*"
"""One line of text, as a regular expression: no control characters."""

Seed = Annotated[int, Whole(0)]

Switch = Annotated[bool, Exactly()]


def _each_once(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse a list that names anything twice."""
    if len(set(items)) < len(items):
        raise ValueError("each once")
    return items
