"""What the numbers cannot say, and a method paragraph made from what really ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from pellucid.atlas.template import mni_template
from pellucid.errors import InputError
from pellucid.image.grid import Grid
from pellucid.report.blocks import Block, Note, Picture, Section, Text, link, missing, percent
from pellucid.report.overlay import draw_field_of_view
from pellucid.report.run import Run, Trial, sidecar_sources

_CENTRE = (-20.0, -20.0, 15.0)

EITEL = Markup(
    "Eitel F, Soehler E, Bellmann-Strobl J, et al. Uncovering convolutional neural network decisions for diagnosing "
    "multiple sclerosis on conventional MRI using layer-wise relevance propagation. NeuroImage: Clinical 24 (2019) "
    "102003, arXiv 1904.08771."
)
BACH = Markup(
    "Bach S, Binder A, Montavon G, et al. On pixel-wise explanations for non-linear classifier decisions by layer-wise "
    "relevance propagation. PLoS ONE 10 (2015) e0130140."
)
SIEGEL = Markup(
    "Siegel NT, Cole JH, Habes M, Haufe S, Ritter K, Schulz MA. Explainable AI methods for neuroimaging: systematic "
    "failures of common tools, the need for domain-specific validation, and a proposal for safe application. "
    "arXiv 2508.02560 (2025)."
)


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
                "model. A network that does well here has shown that it can learn this model, not that it can "
                "diagnose patients."
            )
        )
    caveats += [
        Markup(
            "<strong>LRP can be wrong.</strong> On about 45 000 brain MRIs with known truth, Siegel et al. (2025) "
            "found that LRP gave “extensive, artifactual explanations” where SmoothGrad was consistently accurate. A "
            "high lift in lesions does not refute that: compare it with the null maps, and read single voxels with "
            "care."
        ),
        Markup(
            "<strong>Relevance is not disease.</strong> A map shows what moved this network's output. It does not "
            "show that tissue is abnormal, nor that the network would decide otherwise without it."
        ),
        Markup(
            "<strong>One split, few subjects.</strong> Intervals cover the choice of held-out subjects within this "
            "one split. The SD over trials covers the optimiser's chance. Neither covers another training sample or "
            "another scanner."
        ),
        Markup(
            "<strong>Probabilities are not calibrated.</strong> They are sigmoids of the logit, and the threshold is "
            "0.5."
        ),
    ]
    if run.maps and run.maps.trial:
        text = Markup(
            "<strong>One model is explained:</strong> {} of arm {}, the trial with the lowest validation loss. "
            "Other trials may look elsewhere."
        )
        caveats.append(text.format(run.maps.trial.name, run.maps.arm))
    caveats.append(
        Markup(
            "<strong>Patents.</strong> The licence of Pellucid grants no patent rights. The inventors of layer-wise "
            "relevance propagation have claimed a patent on it; commercial use may need their permission."
        )
    )
    section.add(Text(paragraphs=caveats))
    return section


def method(run: Run) -> Section:
    """Return a paragraph for a paper's method section, from what ran, and the references that it needs."""
    sentences = [
        *_data_sentences(run),
        *_network_sentences(run),
        *_explain_sentences(run),
        *_analysis_sentences(run),
        f"All was done with Pellucid {_version(run)}.",
    ]
    references = [Markup("References. {}").format(Markup(" ").join((EITEL, BACH, SIEGEL)))]
    return Section("method", "Method, from what ran", [Text(paragraphs=[" ".join(sentences), *references])])


def files(run: Run) -> Section:
    """Return the list of the run's tables and what else can be opened."""
    tables = sorted(path.relative_to(run.folder).as_posix() for path in (run.folder / "tables").glob("*.tsv"))
    others = ["study.toml", "record.json", "splits.tsv", "models", "maps", "figures"]
    present = [name for name in others if (run.folder / name).exists()]
    text = Markup(", ").join(link(name) for name in [*present, *tables])
    opening = (
        "Every number of this report stands in a file beside it. Maps open in FSLeyes and 3D Slicer, tables anywhere."
    )
    return Section("files", "Files", [Text(paragraphs=[opening, text])])


def _field_of_view(run: Run, figures: Path) -> list[Block]:
    view, grid = run.field_of_view, _grid(run)
    if view is None or grid is None:
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
    for suffix in (".png", ".svg"):
        draw_field_of_view(
            template, grid, run.seen(grid), title=title, centre=_CENTRE, path=figures / f"field-of-view{suffix}"
        )
    text = Markup(
        "<strong>The network is blind to {} of its grid.</strong> Convolutions without padding and pools that round "
        "down drop the far end of every axis: {} of {} voxels can move the output. Every result here is silent about "
        "the rest, whatever lies there."
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


def _grid(run: Run) -> Grid | None:
    description = next((trial.description for trial in run.trials if "grid" in trial.description), None)
    return None if description is None else Grid.from_json(description["grid"])


def _data_sentences(run: Run) -> list[str]:
    said = []
    for name, store in run.stores():
        groups = store.table.groupby("group", sort=False)["participant_id"].nunique()
        counts = " and ".join(f"{count} {group}" for group, count in groups.items())
        simulated = "simulated " if name in run.simulated else ""
        said.append(
            f"Cohort {name} has {len(store)} {simulated}{store.modality} scans of {counts} participants, brought to a "
            f"grid of {store.grid} by their affines and scaled by the method “{store.scaling}” within the brain, the "
            "background being 0."
        )
    if run.splits is not None:
        said.append(
            "Participants were split into training, validation and holdout at random within each group, by subject."
        )
    return said


def _network_sentences(run: Run) -> list[str]:
    first: dict[str, Trial] = {}
    for trial in run.trials:
        first.setdefault(trial.arm, trial)
    if not first:
        return []
    channels = next(iter(first.values())).description.get("channels")
    said = [f"The network is that of Eitel et al. (2019) with {channels} channels a convolution."]
    for arm, trial in first.items():
        settings = dict(trial.trained.get("settings", {}))
        start = run.spec.get("training", {}).get(arm, {}).get("start_from")
        origin = f"started from the selected trial of {start}" if start else "started from random weights"
        count = sum(other.arm == arm for other in run.trials)
        said.append(f"Arm {arm} {origin} and was trained {count} time{'s' if count != 1 else ''}{_settings(settings)}.")
    return said


def _settings(settings: dict[str, Any]) -> str:
    words = {
        "learning_rate": "learning rate {}",
        "decay": "decay {} a step",
        "batch_size": "batches of {}",
        "max_epochs": "at most {} epochs",
        "patience": "early stopping on the validation loss with patience {}",
        "l2": "L2 penalty {}",
    }
    said = [text.format(f"{settings[key]:g}") for key, text in words.items() if key in settings]
    if "augment" in settings:
        said.append("flips and shifts along the left-right axis" if settings["augment"] else "no augmentation")
    return f" with Adam ({', '.join(said)})" if said else ""


def _explain_sentences(run: Run) -> list[str]:
    if run.maps is None:
        return []
    sidecar = run.maps.sidecar
    parameters = ", ".join(f"{name} {float(value):g}" for name, value in sidecar.get("Parameters", {}).items())
    settings = f" ({parameters})" if parameters else ""
    seed = sidecar.get("SeedNeuron", "the output")
    number_of = len(list(run.maps.folder.glob("sub-*_relevance.nii.gz")))
    return [
        f"{number_of} held-out scans were explained by {run.maps.method}{settings}, starting at the {seed} of the "
        f"trial of arm {run.maps.arm} with the lowest validation loss."
    ]


def _analysis_sentences(run: Run) -> list[str]:
    said = []
    analysis = run.spec.get("analysis", {})
    if run.table("table2") is not None and "bootstrap" in analysis:
        said.append(
            f"Intervals are 95 % percentile intervals of {analysis['bootstrap']} bootstrap draws of subjects within "
            "group."
        )
    if run.table("lesions") is not None:
        said.append(
            "Lift is the share of positive relevance inside lesions over the share of volume, within the seen brain, "
            "beside null maps made of the image, its edges, noise, and the training subjects' mean lesion map."
        )
    if run.table("regions") is not None and "atlas" in analysis:
        said.append(
            f"Regional relevance is summed over the seen voxels of the areas of {analysis['atlas']}, left and right "
            "merged."
        )
    return said


def _version(run: Run) -> str:
    runs = run.record.get("runs") or [{}]
    return str(runs[-1].get("environment", {}).get("pellucid", "(version unknown)"))
