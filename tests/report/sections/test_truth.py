"""The section says what was planted, and sets other networks beside the map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from tests.runs import change_spec, write_rows

from pellucid.report.html.blocks import Table
from pellucid.report.sections.truth import PLACES, truth
from pellucid.rundir.run import open_run
from pellucid.simulate.settings import CohortSettings
from pellucid.spec.spec import Spec
from pellucid.trust.place_summary import place_summary

ROWS = pd.DataFrame(
    [
        {
            "arm": "finetuned",
            "method": "lrp-epsilon",
            "participant_id": f"sub-{group}{n}",
            "group": group,
            "map": name,
            "place": place,
            "networks": f"finetuned/trial-0{n % 2}",
            "seen_share": 0.99999,
            "mean": sign * (n - 0.5),
            "lift": lift * (1 + n),
        }
        for group, sign in (("MS", 1.0), ("HC", -1.0))
        for n in range(8)
        for name, lift in (("lrp-epsilon", 4.0), ("intensity", 2.0))
        for place in ("lesionprior", "elsewhere")
    ]
)


def _write(folder: Path, others: tuple[str, ...] = ()) -> None:
    """Write what a study makes of the rows and of other networks' maps, whose lifts are half as large."""
    patients = ROWS[ROWS["group"] == "MS"]
    untaught = {name: patients.assign(lift=patients["lift"] / 2) for name in others}
    summary = place_summary(patients, untaught).assign(arm="finetuned", method="lrp-epsilon")
    write_rows(folder, "truth_summary", summary)


def test_a_place_says_whether_lesions_may_stand_in_for_it(copy: Path, look: Any) -> None:
    _write(copy)
    said = "Relevance in callosum, thalami or ventricles may be due to lesions"
    assert said in look.words(truth(open_run(copy)))

    def without_lesions(spec: Spec) -> Spec:
        simulate = spec.cohorts["ms"].simulate
        assert isinstance(simulate, CohortSettings)
        cohort = replace(spec.cohorts["ms"], simulate=replace(simulate, lesions=0.0))
        return replace(spec, cohorts={**spec.cohorts, "ms": cohort})

    change_spec(copy, without_lesions)
    words = look.words(truth(open_run(copy)))
    assert "have the same lesions as controls" in words
    assert said not in words


def test_untaught_networks_that_were_explained_stand_beside_the_map(copy: Path, look: Any) -> None:
    _write(copy, ("untrained", "pretrained-only"))
    section = truth(open_run(copy))
    assert section is not None
    (table,) = look.of(section, Table)
    assert [cell for cell in table.header if "untrained" in cell or "pretrained" in cell] == [
        "Lift of untrained; difference",
        "Lift of pretrained-only; difference",
    ]
    assert all(str(cell).startswith("9.00<br>9.0<br>[") for cell in table.rows[0][5:7])
    assert "trained as pretraining alone" in look.words(section)


def test_the_section_says_what_was_planted(copy: Path, look: Any) -> None:
    _write(copy)
    section = truth(open_run(copy))
    assert section is not None
    (table,) = look.of(section, Table)
    assert table.rows[0][:3] == ["lesionprior", PLACES["lesionprior"], "99 %"]
    assert table.rows[1][1] == "an effect of the simulation"
    assert len(table.rows) == 2


def test_a_study_of_real_people_has_no_section(copy: Path) -> None:
    (copy / "tables" / "truth_summary.tsv").unlink()
    assert truth(open_run(copy)) is None
