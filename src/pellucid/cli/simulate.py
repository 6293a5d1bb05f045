"""`pellucid simulate`: a BIDS cohort whose truth is known."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid.cli import console
from pellucid.cli.options import Workers, settings_of, worker_count
from pellucid.ground.errors import InputError

EXAMPLE = "Example: pellucid simulate cohort --patients 20 --controls 20 --lesions 0.5"

_PANEL = "Strength of each effect"
_Strength = typer.Option(help="0 removes the effect, 1 is the default strength, 5 the maximum.", rich_help_panel=_PANEL)
_Artefact = typer.Option(help="A faulty coil, in patients only. Default: 0 (none); maximum: 5.", rich_help_panel=_PANEL)


def simulate(
    out: Annotated[Path, typer.Argument(help="The output folder. An unfinished cohort in it is completed.")],
    *,
    kind: Annotated[str, typer.Option(help="'ms' (FLAIR and T1w) or 'pretraining' (T1w, several visits).")] = "ms",
    patients: Annotated[int | None, typer.Option(help="Number of patients. Default: 76; for pretraining 223.")] = None,
    controls: Annotated[int | None, typer.Option(help="Number of controls. Default: 71; for pretraining 166.")] = None,
    visits: Annotated[
        int | None, typer.Option(help="Maximum visits per participant; pretraining only. Default: 3.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same cohort.")] = 0,
    voxel_size: Annotated[float | None, typer.Option(help="Voxel size of the images in mm. Default: 1.")] = None,
    lesions: Annotated[float | None, _Strength] = None,
    callosum: Annotated[float | None, _Strength] = None,
    thalamus: Annotated[float | None, _Strength] = None,
    age_gap: Annotated[float | None, _Strength] = None,
    sex_gap: Annotated[float | None, _Strength] = None,
    caps: Annotated[float | None, _Strength] = None,
    artefact: Annotated[float | None, _Artefact] = None,
    hippocampus: Annotated[float | None, _Strength] = None,
    ventricles: Annotated[float | None, _Strength] = None,
    cortex: Annotated[float | None, _Strength] = None,
    aging: Annotated[float | None, _Strength] = None,
    workers: Workers = None,
) -> None:
    """Simulate a cohort of patients and controls as a BIDS dataset, together with its truth."""
    from pellucid.simulate.cohort import simulate_cohort
    from pellucid.simulate.settings import SETTINGS

    given: dict[str, Any] = {
        "patients": patients,
        "controls": controls,
        "visits": visits,
        "seed": seed,
        "voxel_size": voxel_size,
        "lesions": lesions,
        "callosum": callosum,
        "thalamus": thalamus,
        "age_gap": age_gap,
        "sex_gap": sex_gap,
        "caps": caps,
        "artefact": artefact,
        "hippocampus": hippocampus,
        "ventricles": ventricles,
        "cortex": cortex,
        "aging": aging,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if kind not in SETTINGS:
        raise InputError("--kind", f"is {kind!r}", f"Give one of {', '.join(SETTINGS)}")
    accepted = {known: [field.name for field in fields(settings)] for known, settings in SETTINGS.items()}
    for name in given:
        if name not in accepted[kind]:
            other = next(known for known, names in accepted.items() if name in names)
            raise InputError(f"--{name.replace('_', '-')}", f"is no option of --kind {kind}", f"Use --kind {other}")
    with console.Bars() as bars, bars.step(f"simulating {out}") as progress:
        settings = settings_of(SETTINGS[kind], **given)
        simulate_cohort(out, settings, workers=worker_count(workers), progress=progress)
    console.say(f"{out}: a BIDS dataset; the truth is under {out / 'derivatives' / 'truth'}")
