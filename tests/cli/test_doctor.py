"""`pellucid doctor`."""

from __future__ import annotations

import pytest

from pellucid.cli import doctor


def test_doctor_finds_everything_and_is_well(pellucid) -> None:
    shown = pellucid("doctor")
    assert shown.code == 0
    for words in ("torch", "threads", "memory_gb", "gpus", "neuromorphometrics", "MNI152NLin6Asym brain"):
        assert words in shown.out
    assert shown.out.count("passed: ") == len(doctor.SELF_TESTS)


def test_doctor_fails_where_a_self_test_fails(pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.SELF_TESTS, "the same seed gives the same gradients", lambda: "they differ")
    shown = pellucid("doctor")
    assert shown.code == 1
    assert "FAILED: the same seed gives the same gradients: they differ" in shown.err
