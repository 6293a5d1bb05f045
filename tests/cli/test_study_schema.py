from __future__ import annotations

import pytest

from pellucid.cli.main import run
from pellucid.spec.schema import to_json


def test_the_schema_is_printed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["study", "schema"])
    assert not ended.value.code
    assert capsys.readouterr().out == to_json()
