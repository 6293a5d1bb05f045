"""Each summary has the rows of every explained arm, and is what its function makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pellucid.analysis.regions import region_means
from pellucid.ground.files import read_tsv, write_tsv
from pellucid.ground.seeds import derive_seed
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import read_spec
from pellucid.study.plan import Plan
from pellucid.study.steps import map_summaries
from pellucid.trust.place_summary import place_summary
from pellucid.trust.sums_summary import alarm_counts, ledger_means, sums_summary

TINY = Path(__file__).parents[1] / "tiny.toml"


def _silent(done: int, total: int, what: str) -> None:
    pass


@pytest.fixture
def two_arms(undisturbed: Path, tmp_path: Path) -> Plan:
    """A study that explains an untrained arm too, whose maps are taken to have half the values of the other's."""
    spec = read_spec(TINY)
    assert spec.explain is not None
    training = spec.training | {"untrained": replace(spec.training["scratch"], fit=False)}
    spec = replace(spec, training=training, explain=replace(spec.explain, arms=("finetuned", "untrained")))
    folder = RunFolder(tmp_path)
    for name in ("ledger", "sums", "regions", "region_tests", "truth"):
        table = read_tsv(RunFolder(undisturbed).table(name))
        numbers = table.select_dtypes(float).columns
        write_tsv(folder.table(name), pd.concat([table, table.assign(arm="untrained", **(table[numbers] / 2))]))
    return Plan(spec, folder)


@pytest.mark.parametrize(
    ("name", "of", "make"),
    [
        ("ledgers", "ledger", ledger_means),
        ("sums", "sums", sums_summary),
        ("alarms", "sums", lambda table: pd.DataFrame([alarm_counts(table)])),
    ],
)
def test_every_arm_is_summed_up_by_itself(
    two_arms: Plan, name: str, of: str, make: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    found = getattr(map_summaries, name)(two_arms, _silent)
    assert found["arm"].unique().tolist() == ["finetuned", "untrained"]
    table = read_tsv(two_arms.folder.table(of))
    for arm, rows in found.groupby("arm"):
        expected = make(table[table["arm"] == arm])
        pd.testing.assert_frame_equal(
            rows.drop(columns=["arm", "method"]).reset_index(drop=True), expected, check_dtype=False
        )


def test_means_of_areas_stand_beside_what_was_tested(two_arms: Plan) -> None:
    spec = two_arms.spec
    found = map_summaries.regions(two_arms, _silent)
    table, tests = (read_tsv(two_arms.folder.table(name)) for name in ("regions", "region_tests"))
    assert [name for name in found if name.startswith("sum_")] == ["sum_MS", "sum_HC"]  # patients first
    assert len(found) == len(tests)
    for arm, rows in found.groupby("arm"):
        resampling = {"draws": spec.analysis.bootstrap, "seed": derive_seed(spec.study.seed, "bootstrap")}
        means = region_means(table[table["arm"] == arm], ["MS", "HC"], **resampling)
        pd.testing.assert_frame_equal(rows[means.columns].reset_index(drop=True), means)
        tested = tests[tests["arm"] == arm].set_index("area").loc[rows["area"]]
        for column in map_summaries.TESTED:
            assert rows[column].tolist() == pytest.approx(tested[column].tolist(), nan_ok=True)


def test_places_are_summed_up_over_patients_beside_untaught_networks(two_arms: Plan) -> None:
    found = map_summaries.truth(two_arms, _silent)
    table = read_tsv(two_arms.folder.table("truth"))
    patients = {str(arm): rows for arm, rows in table[table["group"] == "MS"].groupby("arm")}
    own = patients.pop("finetuned")
    rows = found[found["arm"] == "finetuned"].drop(columns=["arm", "method"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, place_summary(own, patients))
    assert found.loc[found["arm"] == "untrained", "lift_of_untrained"].isna().all()


def test_arms_of_scans_as_they_are_stand_beside_the_arm_of_lesion_filled_ones(
    two_arms: Plan,
) -> None:
    spec, folder = two_arms.spec, two_arms.folder
    assert map_summaries.filled_arms(spec) == []
    assert spec.explain is not None
    filled = replace(spec.training["finetuned"], images="lesion-filled")
    other = replace(filled, network="whole-brain")
    training = spec.training | {"other": other, "filled": filled}
    explain = replace(spec.explain, arms=("finetuned", "untrained", "other", "filled"))
    spec = replace(spec, training=training, explain=explain)
    assert map_summaries.filled_arms(spec) == [("finetuned", "filled")]  # the untrained did not learn
    regions = read_tsv(folder.table("regions"))
    own = regions[regions["arm"] == "finetuned"]
    write_tsv(folder.table("regions"), pd.concat([regions, own.assign(arm="filled", sum=own["sum"] * 3)]))
    found = map_summaries.filled(Plan(spec, folder), _silent)
    assert found[["arm", "filled"]].drop_duplicates().to_numpy().tolist() == [["finetuned", "filled"]]
    patients = own[own["group"] == "MS"].groupby("area")["sum"].mean()
    assert found["mean"].tolist() == pytest.approx(patients[found["area"]].tolist())
    assert found["mean_filled"].tolist() == pytest.approx((3 * found["mean"]).tolist())
    assert (found["people"] == 2).all()
