"""What was found is said in one line, in a sidecar, and in the error that refuses an image."""

from __future__ import annotations

import json

from pellucid.gate.finding import Finding, describe, describe_remark, refusal, words

REMARK = Finding("voxels", "its voxels are long")
REFUSED = Finding("pose", "its brain is upside down", refused=True, cure="Turn it")


def test_what_is_refused_comes_first() -> None:
    assert words([]) is None
    assert words([REMARK]) == "its voxels are long"
    assert words([REMARK, REFUSED], forced=True) == "FORCED: its brain is upside down; its voxels are long"
    error = refusal("a.nii", [REMARK, REFUSED])
    assert str(error) == (
        "a.nii: its brain is upside down. Turn it. --force takes it as it is, and says so beside every result."
    )
    assert refusal("a.nii", [REFUSED], anyway="").fix == "Turn it"


def test_sidecars_tell_what_was_found_and_what_nobody_looked_at() -> None:
    assert describe([], forced=False)["Gate"]["Verdict"] == "pass"
    assert describe([REMARK], forced=False)["Gate"]["Verdict"] == "remarks"
    forced = describe([REFUSED], forced=True)["Gate"]
    assert forced["Verdict"] == "forced"
    assert forced["Remark"] == "FORCED: its brain is upside down"
    assert forced["Findings"][0]["refused"] is True
    assert "Left and right" in forced["Unchecked"]
    assert describe_remark(float("nan"))["Gate"]["Verdict"] == "pass"
    assert describe_remark("FORCED: x")["Gate"]["Verdict"] == "forced"
    assert json.loads(json.dumps(forced)) == forced
