"""`pellucid report`."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_a_report_says_where_it_is(tmp_path: Path, pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.report.page.write_report", lambda run, note: run / "report.html")
    shown = pellucid("report", tmp_path)
    assert shown.code == 0
    assert shown.out == f"report: {tmp_path / 'report.html'}\n"
