"""Who of a dataset takes part in a cohort, and, by name and with the reason, who does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pellucid.bids.participants import TABLE
from pellucid.cohort.bids import index_bids, masks_of_nobody
from pellucid.ground.errors import InputError
from pellucid.ground.words import guess, is_missing, key, some
from pellucid.spec.sections import Cohort

_NAMED = 50  # people of another group that are named one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The scans of a cohort.

    Parameters
    ----------
    rows
        As `index_bids` gives them: those of the cohort's two groups, and those with a problem.
    remarks
        Subject and words: what was mended in the dataset, and which people are of other groups.
    """

    rows: pd.DataFrame
    remarks: tuple[tuple[str, str], ...] = ()

    @property
    def usable(self) -> pd.DataFrame:
        """The rows without a problem."""
        return self.rows[self.rows["problem"].isna()]

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """Participant and reason for every scan that cannot be used."""
        bad = self.rows[self.rows["problem"].notna()]
        return [(str(row.participant_id), str(row.problem)) for row in bad.itertuples()]


def members(name: str, cohort: Cohort, root: Path, *, watch: Callable[[Members], None] | None = None) -> Members:
    """List the scans of a cohort.

    The exact spelling of a group decides, blanks around it apart. Who has another spelling of one of the two groups, or
    no group, is left out with a problem. Whole other groups, which are no mistake, are named in a remark, and so are
    lesion masks of nobody. `watch` is called with the members before an error says that they do not suffice.

    Raises
    ------
    InputError
        If the dataset cannot be read, or one of the two groups has nobody, or no scan that can be used.
    """
    rows = index_bids(root, modality=cohort.modality, lesions=cohort.lesions, group=cohort.column)
    spare = masks_of_nobody(root, rows, lesions=cohort.lesions)
    wanted = (cohort.positive, cohort.negative)
    found = _sorted_out(rows, wanted, root, spare)
    if watch:
        watch(found)
    for group in (cohort.negative, cohort.positive):
        if not (rows["group"] == group).any():
            groups = some(sorted(map(repr, rows["group"].dropna().unique()))) or "none"
            raise InputError(
                root / TABLE,
                f"a study with one class only: no participant is in group {group!r} (existing groups: {groups})"
                + guess(group, rows["group"].dropna().unique()).rstrip("?"),
                f"Give two of its groups as `positive` and `negative` of [cohorts.{name}]",
            )
        problems = rows.loc[rows["group"] == group, "problem"]
        if problems.notna().all():
            what = f"no scan of group {group!r} can be used (of {len(problems)} listed; the first: {problems.iloc[0]}"
            raise InputError(root, what.rstrip(".") + ")", "Repair the scans")
    return found


def _sorted_out(rows: pd.DataFrame, wanted: tuple[str, str], root: Path, spare: Sequence[tuple[str, str]]) -> Members:
    """Give who is of neither group, or of none, a problem or a remark; gather all remarks."""
    people = rows.drop_duplicates("participant_id").groupby("group")["participant_id"].agg(list)
    problem, remarks, others = rows["problem"].copy(), list[tuple[str, str]](), list[str]()
    for group, who in zip(map(str, people.index), people, strict=True):
        if group in wanted:
            continue
        count = f"{len(who)} {'participant' if len(who) == 1 else 'participants'}"
        said = f"group {group!r} is neither {wanted[0]!r} nor {wanted[1]!r} ({count}).{guess(group, wanted)}"
        if is_missing(group):
            said = f"{group!r} is not a group ({count}). Give a group or remove the row."
        elif key(group) not in {key(one) for one in wanted}:
            others.append(group)
            remarks.append((f"group {group!r}", f"is not used: {said} They are {some(who, _NAMED)}"))
            continue
        problem = problem.mask((rows["group"] == group) & problem.isna(), f"{root / TABLE}: {said}")
    rows = rows.assign(problem=problem)[~rows["group"].isin(others)].reset_index(drop=True)
    noted = rows[rows["remark"].notna()]
    remarks += list(dict.fromkeys((str(row.participant_id), str(row.remark)) for row in noted.itertuples()))
    return Members(rows=rows, remarks=(*remarks, *spare))
