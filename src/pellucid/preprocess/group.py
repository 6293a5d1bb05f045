"""What the visits of a derivative dataset have in common: its description, its people, their quality, its citation."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.bids import naming
from pellucid.bids.participants import TABLE
from pellucid.ground.errors import InputError
from pellucid.ground.files import is_leftover, read_json, write_json, write_text, write_tsv
from pellucid.ground.staying import make_folder
from pellucid.preprocess.citation import citation
from pellucid.preprocess.outliers import describe, outliers
from pellucid.preprocess.outputs import LOGS
from pellucid.preprocess.people import RawPeople, people_table, raw_people
from pellucid.preprocess.quality import MEASURES
from pellucid.preprocess.records import read_records
from pellucid.preprocess.verdicts import QUALITY, Key, overrides

_IGNORED = ("*.html", "logs/", "quality.*", "CITATION.md", "figures", "*_xfm.txt")

_README = """\
T1w and FLAIR scans in MNI152NLin6Asym space, brain-extracted, made by Pellucid (for research only).

sub-X[_ses-Y].html   quality control of a visit; group.html: of all, the worst first
quality.tsv          the measures behind it; write `use` or `exclude` into its column `override` to overrule a verdict
CITATION.md          what was done, in words, with references
logs/                what was done to each visit and measured in it, as JSON

In sub-X[/ses-Y]/anat:
desc-preproc_*                          scans on their own grids, cropped, bias field removed
*_from-A_to-B_mode-image_xfm.txt        transforms in ITK's format: resample an image of A onto B
space-MNI152NLin6Asym_desc-brain_*      scans and brain mask on the template's 1 mm grid, 0 outside the brain
space-MNI152NLin6Asym_label-*           lesion mask and tissue probabilities
space-MNI152NLin6Asym_desc-filled_*     the FLAIR with its lesions filled
*_res-network_*                         what a network reads: 96x114x96 voxels, scaled, background 0
"""


_LEFT_OUT = {"left out": "named in the raw dataset and not processed; see error"}


def describe_dataset(out: Path, raw: Path, lesions: Path | None) -> None:
    """Write dataset_description.json, README and .bidsignore, so that `out` is a BIDS derivative dataset.

    Raises
    ------
    InputError
        `out` is the raw dataset itself, or holds something else.
    """
    path = out / "dataset_description.json"
    if out.resolve() == raw.resolve():
        raise InputError(out, "is the raw dataset itself", "Name another folder; raw data are never changed")
    # Looked at first, for another job may describe the dataset and fill it at this moment.
    strange = out.is_dir() and any(entry.name != LOGS and not is_leftover(entry) for entry in out.iterdir())
    if path.is_file():
        said = read_json(path, {"GeneratedBy?": [{"Name?": str}]})
        made = [entry.get("Name") for entry in said.get("GeneratedBy") or []]
        if "Pellucid" not in made:
            raise InputError(
                out, f"contains a dataset made by {', '.join(map(str, made)) or 'others'}", "Name another folder"
            )
    elif strange:
        raise InputError(
            out, "the folder is not empty and does not contain a derivative dataset", "Choose an empty folder"
        )
    # Relative, so that both can move together; a URI reference, as BIDS asks for.
    links = {"raw": Path(os.path.relpath(raw, out)).as_posix()}
    masks = lesions or raw / "derivatives" / "lesions"
    if masks.is_dir():
        links["lesions"] = Path(os.path.relpath(masks, out)).as_posix()
    write_json(
        path,
        naming.description(
            "T1w and FLAIR in MNI space, by Pellucid",
            "derivative",
            SourceDatasets=[{"URL": links["raw"]}],
            DatasetLinks=links,
        ),
    )
    write_text(out / ".bidsignore", "\n".join(_IGNORED) + "\n")
    write_text(out / "README", _README)


def summarise(out: Path, raw: Path) -> pd.DataFrame:
    """Write participants.tsv, quality.tsv and CITATION.md from the visits' records; return the table of quality.

    Participants keep what the raw dataset says of them, as text. Nobody is left out of quality.tsv: a visit that failed
    or was not finished has its state there, whom preprocessing does not reach is `left out` with the reason, and
    `override` keeps what a human wrote into it.

    Raises
    ------
    InputError
        There is no record, an override is neither `use` nor `exclude`, or participants.tsv cannot be read.
    """
    records = read_records(out)
    if not records:
        raise InputError(out, "contains no processed visit", "Run the participant level first")
    people = raw_people(raw)
    table = _with_people(quality_table(records, overrides(out)), people)
    _write_people(out, raw, people, sorted({str(record["participant_id"]) for record in records}))
    write_json(out / "quality.json", _describe_quality())
    write_tsv(out / QUALITY, table)
    write_text(out / "CITATION.md", citation(records))
    return table


def quality_table(records: Sequence[Mapping[str, Any]], overridden: Mapping[Key, str]) -> pd.DataFrame:
    """Return one row a visit: state, verdict, override, what was found, remarked or went wrong, and all measures."""
    rows = [
        {
            "participant_id": record["participant_id"],
            "session_id": record["session_id"],
            "state": record["state"],
            "verdict": record["verdict"],
            "override": overridden.get((record["participant_id"], record["session_id"])),
            "findings": " ".join(f"{finding['text']}." for finding in record["findings"]) or None,
            "warnings": " ".join(f"{warning}." for warning in record["warnings"]) or None,
            "error": record["error"],
            **{name: record["measures"].get(name) for name in MEASURES},
        }
        for record in records
    ]
    table = pd.DataFrame(rows).astype(dict.fromkeys(MEASURES, "float64"))
    unlike = describe(outliers(table, list(MEASURES)))
    table.insert(list(table.columns).index("error"), "outlier", unlike.where(unlike != ""))
    return table.sort_values(["participant_id", "session_id"], ignore_index=True)


def _with_people(table: pd.DataFrame, people: RawPeople) -> pd.DataFrame:
    """Return the table of quality with a row for everybody who is left out, and a word on rows that are not used."""
    unknown = table["participant_id"].map(people.unknown)
    both = table["warnings"].str.cat(unknown, sep=" ", na_rep="").str.strip()
    table = table.assign(warnings=both.where(both != "", None))
    strays = [(name, why) for name, why in people.left_out.items() if name not in set(table["participant_id"])]
    rows = [{"participant_id": name or "(nobody)", "state": "left out", "error": why} for name, why in strays]
    if not rows:
        return table
    more = pd.DataFrame(rows, columns=list(table.columns)).astype(table.dtypes)
    return pd.concat([table, more], ignore_index=True).sort_values(["participant_id", "session_id"], ignore_index=True)


def _write_people(out: Path, raw: Path, found: RawPeople, people: Sequence[str]) -> None:
    """Write participants.tsv, and the sessions tables, with what the raw dataset says."""
    write_tsv(out / TABLE, people_table(found.known, people))
    for name in ("participants.json", *(f"{p}/{p}_sessions.{kind}" for p in people for kind in ("tsv", "json"))):
        if (raw / name).is_file():
            make_folder((out / name).parent)
            shutil.copyfile(raw / name, out / name)


def _describe_quality() -> dict[str, Any]:
    """Return what the columns of quality.tsv mean."""
    columns: dict[str, Any] = {
        "state": {
            "Levels": {"done": "processed", "failed": "see error", "running": "begun and not finished", **_LEFT_OUT}
        },
        "verdict": {
            "Levels": {
                "pass": "no measure is out of bounds",
                "check": "look at the page before use",
                "fail": "not used unless override says so",
            }
        },
        "override": {"Description": "A human's word, kept for ever", "Levels": {"use": "use", "exclude": "do not use"}},
    }
    for name, measure in MEASURES.items():
        columns[name] = {"Description": measure.title, **({"Units": measure.unit} if measure.unit else {})}
    return columns
