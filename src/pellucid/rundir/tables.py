"""The tables of a run: the columns of each and what they hold, for the tasks that write them and whoever reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv
from pellucid.ground.opening import read_text
from pellucid.ground.registry import Registry

Columns = Mapping[str, type[str] | type[float] | type[bool]]
"""Name of a column, in the order of the file, to what it holds: text, numbers, or true and false.

A name with a star is a family, which may have no member: `absorbed_*` is every column whose name begins so.
"""

TABLES: Registry[Columns] = Registry("table of a run")
"""Name of a table, without its ending, to its columns. A new table adds itself by `declare`."""


def texts(names: str) -> Columns:
    """Return columns of text, their names with spaces between."""
    return dict.fromkeys(names.split(), str)


def numbers(names: str) -> Columns:
    """Return columns of numbers, their names with spaces between."""
    return dict.fromkeys(names.split(), float)


def flags(names: str) -> Columns:
    """Return columns of true and false, their names with spaces between."""
    return dict.fromkeys(names.split(), bool)


def declare(name: str, *parts: Columns) -> None:
    """Register a table of a run: a task writes RUN/tables/NAME.tsv with these columns in this order."""
    TABLES.register(name, {column: kind for part in parts for column, kind in part.items()})


def empty_table(name: str) -> pd.DataFrame:
    """Return a registered table without a row; its families have no member.

    >>> list(empty_table("ledger_summary"))
    ['arm', 'method', 'group', 'layer', 'relevance_out', 'relevance_in']
    """
    return pd.DataFrame(columns=[column for column in TABLES[name] if "*" not in column])


def as_declared(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table with the columns that it is declared to have, in their order.

    Raises
    ------
    InputError
        It has others, lacks one, or one holds something else; all are named.
    """
    found = members(TABLES.find(name), table)
    troubles = [f"column {column} is not declared" for column in table if column not in found]
    troubles += [f"column {column} is missing" for column in found if column not in table]
    troubles += [
        f"column {column} has values that are not {_KINDS[kind]}"
        for column, kind in found.items()
        if column in table and not _holds(table[column], kind)
    ]
    if troubles:
        raise InputError(f"table {name}", "; ".join(troubles), "Write what pellucid.rundir.tables declares for it")
    return table[list(found)]


def read_table(path: Path, name: str) -> pd.DataFrame:
    """Read a table and check that it has its declared columns; others may stand beside them.

    Raises
    ------
    InputError
        The file is no table or cut off, lacks a column, or one holds something else; all are named.
    """
    columns = TABLES.find(name)
    header = read_text(path).partition("\n")[0].split("\t")
    return read_tsv(path, columns=members(columns, header), whole=True)


def members(columns: Columns, names: Iterable[Any]) -> Columns:
    """Return columns with those of some names that belong to a family in the family's place.

    >>> list(members(numbers("n width_*"), ["width_left", "n", "width_right"]))
    ['n', 'width_left', 'width_right']
    """
    there = [str(name) for name in names if name not in columns]
    return {
        name: kind
        for declared, kind in columns.items()
        for name in ([one for one in there if fnmatchcase(one, declared)] if "*" in declared else [declared])
    }


_KINDS = {str: "text", float: "numbers", bool: "true and false"}


def _holds(values: pd.Series[Any], kind: type) -> bool:
    """Tell whether what is not missing in a column is of a kind."""
    there = values.dropna()
    if kind is bool:
        return bool(there.isin([True, False]).all())
    return there.empty or pd.api.types.is_numeric_dtype(there.infer_objects()) == (kind is float)


def _five_numbers(quantity: str) -> Columns:
    return numbers(" ".join(f"{quantity}_{part}" for part in ("n", "mean", "sd", "median", "min", "max")))


SPLITS = {**texts("cohort participant_id group role"), **numbers("fold")}
"""Of splits.tsv: who trained, validated and was held out in each fold."""

PREDICTIONS = {**texts("participant_id session_id group role"), **numbers("label logit")}
"""Of the predictions of a trial or of a fit of a baseline: a row a scan."""

HISTORY = {**numbers("epoch train_loss train_accuracy val_loss val_accuracy val_auc"), **flags("best")}
"""Of the history of a trial: a row an epoch."""

_MAP = texts("arm method participant_id session_id group networks")

declare(
    "table1",
    texts("cohort group role"),
    numbers("participants scans female sex_known"),
    *map(_five_numbers, ("age", "edss", "disease_duration_months", "lesion_volume_ml")),
)
declare(
    "table2",
    texts("arm pretraining metric"),
    numbers("mean sd low high n_patients n_controls"),
    flags("few"),
    texts("reason"),
    numbers("p_chance"),
    texts("p_from"),
    numbers("n_trials n_subjects q_chance"),
)
declare("trials", texts("arm"), numbers("trial balanced_accuracy sensitivity specificity auc"))
declare("roc", texts("arm"), numbers("trial fpr tpr"))
declare(
    "brightness",
    texts("scaling"),
    numbers("auc low high"),
    flags("few"),
    texts("reason"),
    numbers("separability"),
    texts("cohort"),
    numbers("n_subjects"),
)
declare(
    "comparisons",
    texts("arm_one arm_two metric test p_from"),
    numbers("one two difference low high p"),
    flags("few"),
    numbers("better_one better_two n_both n_only_one n_only_two"),
    texts("problem"),
    numbers("q"),
)
declare(
    "calibration",
    texts("arm kind"),
    numbers("brier ece"),
    texts("reason"),
    numbers("bin low high n participants mean_probability observed observed_low observed_high"),
)
declare(
    "subgroups",
    texts("arm factor level"),
    numbers("value_min value_max n_patients n_controls"),
    flags("few"),
    texts("reason"),
    numbers("balanced_accuracy balanced_accuracy_low balanced_accuracy_high"),
    numbers("sensitivity sensitivity_low sensitivity_high specificity specificity_low specificity_high"),
    numbers("auc auc_low auc_high interaction_p interaction_q"),
)
declare(
    "ledger",
    texts("arm method participant_id session_id group layer"),
    numbers("relevance_out relevance_in absorbed_*"),
)
declare(
    "sums",
    _MAP,
    flags("correct"),
    numbers("logit sum positive negative gross gross_per_logit absorbed_*"),
    texts("alarm"),
    numbers("voxel_mean"),
)
# `*`: measures that a module outside of the package registered (`trust.lesion_measures`), any number.
declare(
    "lesions",
    _MAP,
    texts("map"),
    numbers("average_precision precision_at_k auroc lift lift_ceiling positive_share strongest_in_lesion *"),
    numbers("volume_share lesion_voxels unseen_lesion_share"),
    texts("reason"),
)
declare(
    "lesions_summary",
    texts("arm method group map"),
    numbers("people without average_precision precision_at_k auroc lift lift_ceiling positive_share"),
    numbers("strongest_in_lesion volume_share networks average_precision_low average_precision_high"),
    numbers("precision_at_k_low precision_at_k_high auroc_low auroc_high lift_low lift_high"),
    numbers("positive_share_low positive_share_high strongest_in_lesion_low strongest_in_lesion_high *"),
)
declare(
    "lesions_compared",
    texts("arm method measure map best_null"),
    numbers("map_value null_value scan_value difference low high networks people wins losses na"),
)
declare(
    "lesions_untaught",
    texts("arm method untaught measure map"),
    numbers("map_value untaught_value difference low high networks people wins losses na"),
)
declare(
    "regions",
    _MAP,
    flags("correct"),
    texts("atlas area"),
    numbers("voxels seen_voxels seen_share sum mean paper"),
)
declare(
    "region_tests",
    texts("arm method atlas area"),
    *(
        part
        for test in ("", "_per_logit", "_per_gross")
        for part in (numbers(f"difference{test} p{test}"), texts(f"p_from{test}"), numbers(f"q{test}"))
    ),
)
declare("lesion_regions", texts("participant_id session_id group atlas area"), numbers("voxels lesion_voxels"))
declare("truth", _MAP, texts("map place"), numbers("seen_share mean positive_share volume_share lift"))
declare(
    "deletion",
    _MAP,
    texts("ranking fill"),
    numbers("k voxels draws logit fall correlation"),
    texts("missing"),
)
declare(
    "deletion_summary",
    texts("arm method ranking fill"),
    numbers("k people networks voxels logit fall low high correlation"),
    texts("rival"),
    numbers("compared rival_fall difference difference_low difference_high"),
)
declare("calibration_summary", texts("arm kind"), numbers("n share brier brier_of_share ece"))
declare("trials_paired", texts("arm_one arm_two"), numbers("n_trials difference sd low high p q"))
declare("learning_summary", texts("family arm"), numbers("subjects auc sd low high n_trials"))
declare("ledger_summary", texts("arm method group layer"), numbers("relevance_out relevance_in absorbed_*"))
declare("sums_summary", texts("arm method group"), numbers("scans logit sum positive negative voxel_mean"))
declare("alarms", texts("arm method"), numbers("maps checked alarmed alarm_* gross_per_logit"))
declare(
    "regions_summary",
    texts("arm method atlas area"),
    numbers("voxels seen_share strength sum_* low_* high_* mean_*"),
    numbers("difference p q difference_per_logit p_per_logit q_per_logit difference_per_gross p_per_gross q_per_gross"),
)
declare(
    "regions_filled",
    texts("arm filled method atlas area"),
    numbers("seen_share people mean low high mean_filled low_filled high_filled"),
)
declare(
    "truth_summary",
    texts("arm method place"),
    numbers("subjects networks seen_share lift low high lift_of_scan above_zero"),
    texts("best_null"),
    numbers("lift_of_* more_than_*"),
)
