"""What the numbers cannot say, and where the files are."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from pellucid.atlas.template import mni_template
from pellucid.ground.errors import InputError
from pellucid.ground.numbers import percent
from pellucid.report.html.blocks import Block, Note, Picture, Section, Text, link, missing
from pellucid.report.pictures.overlay import field_of_view_figure
from pellucid.report.pictures.style import save
from pellucid.report.section_registry import page_section, text_section
from pellucid.rundir.run import Run, sidecar_sources

_CENTRE = (-20.0, -20.0, 15.0)


@page_section("limits", title="Limits and caveats", order=190)
def limits(run: Run, figures: Path) -> Section:
    """Return the caveats, with a picture of what the network cannot see."""
    section = Section("limits", "Limits and caveats")
    section.add(Note(tone="warning", text="For research only. Not a medical device; not for diagnosis or treatment."))
    section.add(*_field_of_view(run, figures))
    caveats: list[str | Markup] = []
    if run.simulated:
        caveats.append(
            Markup(
                "<strong>Simulated data.</strong> The scans are simulated: lesions, contrast and atrophy follow a "
                "model. A good result shows that the network can learn this model, not that it can diagnose patients."
            )
        )
    caveats += [
        Markup(
            "<strong>LRP can be wrong.</strong> On about 45 000 brain MRIs with known truth, Siegel et al. (2025) "
            "found that LRP gave “extensive, artifactual explanations” where SmoothGrad was consistently accurate. A "
            "high lift in lesions does not refute that: a map of bright voxels may have more. Compare it with the best "
            "null map, and read single voxels with care."
        ),
        Markup(
            "<strong>Relevance is not disease.</strong> A map shows what influenced this network's output. It does "
            "not show that tissue is abnormal, or that the network would decide differently without it."
        ),
        _sample(run),
        Markup(
            "<strong>Scores rest on uncalibrated probabilities.</strong> They are sigmoids of the logit, and the "
            "threshold is 0.5; the section on calibration shows how reliable they are."
        ),
    ]
    for name in _changed_code(run):
        text = Markup(
            "<strong>The code of {} changed</strong> during this run: its file was different when the run was "
            "resumed. The results may come from two versions of it; run the study again from the beginning."
        )
        caveats.append(text.format(name))
    if run.maps and run.explain and run.explain.trials == "all":
        text = Markup(
            "<strong>Maps are means</strong> over all models of arm {} that were trained without the participant. "
            "Single models may differ: the spread is saved with each map."
        )
        caveats.append(text.format(run.maps.arm))
    elif run.maps and run.is_cross_validated(run.maps.arm):
        text = Markup(
            "<strong>One model per participant is explained:</strong> of arm {}, a model of the fold in which the "
            "participant was held out, in the first repeat: {}. Maps of other models may differ."
        )
        caveats.append(text.format(run.maps.arm, _chosen(run)))
    elif run.maps and run.maps.trial:
        text = Markup("<strong>One model is explained:</strong> {} of arm {}, {}. Maps of other trials may differ.")
        caveats.append(text.format(run.maps.trial.name, run.maps.arm, _chosen(run)))
    caveats.append(
        Markup(
            "<strong>Patents.</strong> The licence of Pellucid grants no patent rights. The inventors of layer-wise "
            "relevance propagation have claimed a patent on it; commercial use may need their permission."
        )
    )
    section.add(Text(paragraphs=caveats))
    return section


def _chosen(run: Run) -> str:
    """Say how the explained trial was chosen of those that held the same subjects out."""
    if run.explain and run.explain.choose == "holdout":
        return (
            "the trial with the best holdout result, as in the paper: the model was selected on the scans that it "
            "explains"
        )
    return "the trial with the lowest validation loss"


def _changed_code(run: Run) -> list[str]:
    """Return the networks, methods and plugins of the user's own whose file changed while the run was half done."""
    found: dict[str, set[str | None]] = {}
    for start in run.log.starts:
        for name, digest in start.code.items():
            found.setdefault(name, set()).add(digest)
    return [name for name, digests in found.items() if len(digests) > 1]


def _sample(run: Run) -> Markup:
    """Say what the intervals cover."""
    if any(run.is_cross_validated(trial.arm) for trial in run.trials):
        return Markup(
            "<strong>One sample, few participants.</strong> Intervals cover the choice of participants; the results "
            "section says which of them are corrected for the overlap of the folds. The SD over trials is between "
            "repeats of the cross-validation, whose training sets overlap. Neither covers another population or "
            "another scanner."
        )
    return Markup(
        "<strong>One split, few participants.</strong> Intervals cover the choice of held-out participants within "
        "this one split. The SD over trials covers the randomness of training. Neither covers another training "
        "sample or another scanner."
    )


@text_section("files", title="Files", order=210)
def files(run: Run) -> Section:
    """Return the list of the run's tables and what else can be opened."""
    folder = run.folder
    tables = sorted(run.relative(path) for path in folder.tables.glob("*.tsv"))
    others = [folder.spec, folder.record, folder.splits, folder.models, folder.all_maps, folder.figures]
    present = [run.relative(path) for path in others if path.exists()]
    text = Markup(", ").join(link(name) for name in [*present, *tables])
    opening = (
        "Every number of this report is in a file of the run. Maps open in FSLeyes and 3D Slicer, tables in any "
        "program."
    )
    return Section("files", "Files", [Text(paragraphs=[opening, text])])


def _field_of_view(run: Run, figures: Path) -> list[Block]:
    view, grid = run.field_of_view, next((trial.grid for trial in run.trials), None)
    if run.maps is not None and (unknown := run.maps.sidecar.get("FieldOfViewUnknown")):
        return [Note(tone="remark", text=f"What the network sees of its grid is {unknown}")]
    if run.maps is None or view is None or grid is None:
        return [missing("The field of view", "maps/ARM/METHOD/sub-…_relevance.json")]
    share = float(view["SeenShare"])
    shape = "×".join(str(stop) for stop in view["Stops"])
    whole = "×".join(str(n) for n in grid.shape)
    if share == 1:
        return [Text(paragraphs=[f"The network sees all {whole} voxels of its grid."])]
    try:
        template = mni_template(grid)
    except InputError as error:
        return [Note(tone="missing", text=f"Missing: a picture of the field of view. {error}")]
    title = f"What the network sees: {percent(share)} of its grid"
    figure = field_of_view_figure(template, grid, run.maps.seen(grid), title=title, centre=_CENTRE)
    save(figure, figures / "field-of-view")
    text = Markup(
        "<strong>The network is blind to {} of its grid.</strong> Convolutions without padding and pools that round "
        "down drop the far end of every axis: {} of {} voxels can change the output. No result here is about the "
        "rest."
    )
    return [
        Text(paragraphs=[text.format(percent(1 - share), shape, whole)]),
        Picture(
            stem="field-of-view",
            suffix=".png",
            alt="MNI152 template in three planes; the part outside the field of view is dimmed and hatched.",
            caption="The field of view over the MNI152 template.",
            sources=sidecar_sources(run),
        ),
    ]
