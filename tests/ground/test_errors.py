from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pellucid.ground.errors import CombinedInputError, InputError, LeakageError, PellucidError, raise_together


def test_message_says_where_what_and_how_to_mend_it() -> None:
    error = InputError(Path("scan.nii"), "the file does not exist", "Check the path")
    assert str(error) == "scan.nii: the file does not exist. Check the path."
    assert (error.where, error.what, error.fix) == ("scan.nii", "the file does not exist", "Check the path")


def test_a_message_that_quotes_a_file_stays_short() -> None:
    error = InputError("a" * 10_000, "b" * 10_000_000, "Mend it")
    assert len(str(error)) < 4100
    assert str(error).endswith("bbb. Mend it.")


def test_input_error_crosses_a_process_border_whole() -> None:
    error = InputError("scan.nii", "it is empty", "Export it again")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is InputError
    assert str(copy) == str(error)
    assert (copy.where, copy.what, copy.fix) == (error.where, error.what, error.fix)


@pytest.mark.parametrize("kind", [InputError, LeakageError])
def test_one_base_catches_all(kind: type[Exception]) -> None:
    assert issubclass(kind, PellucidError)


def test_what_was_found_is_raised_together() -> None:
    first, second = InputError("a", "is 1", "Give 2"), InputError("a", "is 3", "Give 4")
    raise_together([])
    with pytest.raises(InputError) as caught:
        raise_together(iter([first]))
    assert caught.value is first
    with pytest.raises(CombinedInputError, match="2 things are wrong") as both:
        raise_together(iter([first, second]))
    assert both.value.errors == (first, second)
    with pytest.raises(CombinedInputError, match=r"\n  a: is 1\. Give 2\.\n  b: is 3\. Give 4\."):
        raise_together([first, InputError("b", "is 3", "Give 4")])
