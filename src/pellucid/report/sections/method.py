"""A method paragraph made from what really ran: for the page, and with its references as CITATION.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid.ground.words import listed
from pellucid.report.html.blocks import Section, Text
from pellucid.report.references import atlases, references
from pellucid.report.section_registry import text_section
from pellucid.rundir.run import Run, Trial
from pellucid.spec.arms import Baseline
from pellucid.spec.sections import Split
from pellucid.training.baselines.kinds import kind_of


@text_section("method", title="Method", order=200)
def method(run: Run) -> Section:
    """Return a paragraph for a paper's method section, from what ran, and the references that it needs."""
    paragraphs = [method_text(run), f"References. {' '.join(references(run))}"]
    return Section("method", "Method", [Text(paragraphs=paragraphs)])


def citation(run: Run) -> str:
    """Return the same as Markdown, to be pasted into a paper."""
    listed = "\n".join(f"{number}. {text}" for number, text in enumerate(references(run), start=1))
    return f"# How to describe and cite this run\n\n{method_text(run)}\n\n## References\n\n{listed}\n"


def method_text(run: Run) -> str:
    """Return the method paragraph."""
    sentences = [
        *_data_sentences(run),
        *_network_sentences(run),
        *_baseline_sentences(run),
        *_explain_sentences(run),
        *_analysis_sentences(run),
        f"All steps were done with Pellucid {_version(run)}.",
    ]
    return " ".join(sentences)


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
    if run.splits is not None and run.spec is not None:
        said += [_split_sentence(name, how) for name, how in run.spec.splits.items()]
    return said


def _split_sentence(name: str, how: Split) -> str:
    """Say how a cohort was divided."""
    by = how.stratify
    within = f"balanced by {', '.join(by)}" if len(by) > 1 else "at random within each group" if by else "at random"
    if how.scheme == "cross-validation":
        times = f", repeated {how.repeats} times" if how.repeats > 1 else ""
        return (
            f"Participants of {name} were split {within} for a {how.folds}-fold cross-validation{times}; some "
            "training participants of each fold were used for validation."
        )
    parts = "training, validation and holdout" if how.judges else "training and validation"
    return f"Participants of {name} were split once into {parts}, {within}."


_NETWORKS = {
    "PaperNetwork": "that of Eitel et al. (2019)",
    "WholeBrainNetwork": "that of Eitel et al. (2019), padded so that it sees the whole grid",
}


def _network_sentence(description: Mapping[str, Any]) -> str:
    """Say which network a model is of: one of Pellucid's and its width, or the user's own and its options."""
    kind, options = description["architecture"], description.get("options")
    if options is None:
        return f"The network is {_NETWORKS.get(kind, kind)}, with {description['channels']} channels per convolution."
    given = ", ".join(f"{name} = {value}" for name, value in options.items())
    return f"The network is {kind}, which is not part of Pellucid{f', with {given}' if given else ''}."


def _network_sentences(run: Run) -> list[str]:
    first: dict[str, Trial] = {}
    for trial in run.trials:
        first.setdefault(trial.arm, trial)
    if not first:
        return []
    said = sorted({_network_sentence(trial.description) for trial in first.values()})
    known: dict[str, str] = {}
    for arm, trial in first.items():
        count = sum(other.arm == arm for other in run.trials)
        start = run.arms[arm].start_from if arm in run.arms else None
        said.append(_arm_sentence(arm, start, trial.trained, count, known))
    return said


_IMAGES = {
    "lesion-filled": "was given scans whose lesions had been filled",
    "lesion-mask": "is a control, given the lesion mask alone, as 0 and 1, to show how well lesions classify without "
    "the scan",
    "brain-mask": "is a control, given the brain mask alone, as 0 and 1, to show how well the outline of the brain "
    "classifies",
}
"""What an arm was given, if not the prepared scans."""


def _arm_sentence(arm: str, start: str | None, trained: Mapping[str, Any], count: int, known: dict[str, str]) -> str:
    """Say what an arm is: what it was given, what it started from, and how it was trained, if it was.

    `known` holds the settings that were said already, and of which arm.
    """
    given = _IMAGES.get(trained["images"])
    subject = f"Arm {arm} {given}; it" if given else f"Arm {arm}"
    if trained["untrained"]:
        kept = f"the weights of the selected trial of {start}" if start else "its random weights"
        return f"{subject} kept {kept}: a control that has learned nothing{' of this cohort' if start else ''}."
    origin = f"the selected trial of {start}" if start else "random weights"
    times = f"{count} time{'s' if count != 1 else ''}"
    how = _settings(trained["settings"])
    first = known.setdefault(how, arm)
    said = how if first == arm else f" with the settings of {first}"
    return f"{subject} started from {origin} and was trained {times}{said}."


def _baseline_sentences(run: Run) -> list[str]:
    """Say what each baseline is that was fitted, from what its model's description says."""
    said = []
    for name, baseline in run.baselines.items():
        if run.folder.finished_fits(name):
            said.append(_baseline_sentence(name, baseline))
    return said


def _baseline_sentence(name: str, asked: Baseline) -> str:
    return f"Baseline {name} is {kind_of(asked).words(asked.settings.to_json(), asked.images)}."


def _settings(settings: Mapping[str, Any]) -> str:
    words = {
        "learning_rate": "learning rate {}",
        "decay": "decay {} a step",
        "batch_size": "batches of {}",
        "max_epochs": "at most {} epochs",
        "patience": "early stopping on the validation loss with patience {}",
        "l2": "L2 penalty {}",
    }
    said = [text.format(f"{settings[key]:g}") for key, text in words.items()]
    said.append("flips and shifts along the left-right axis" if settings["augment"] else "no augmentation")
    return f" with Adam ({', '.join(said)})"


def _explain_sentences(run: Run) -> list[str]:
    if run.maps is None:
        return []
    sidecar = run.maps.sidecar
    given = {name: value for name, value in sidecar.get("Parameters", {}).items() if value != ""}
    parameters = ", ".join(f"{n} {v:g}" if isinstance(v, float) else f"{n} {v}" for n, v in given.items())
    settings = f" ({parameters})" if parameters else ""
    seed = sidecar.get("SeedNeuron", "the output")
    number_of, asked = len(run.maps.paths), run.explain
    if asked and asked.trials == "all":
        whose = f"every trial of arm {run.maps.arm} that was trained without them; each map is the mean of these"
    elif asked and asked.choose == "holdout":
        whose = f"the trial of arm {run.maps.arm} with the best result on the holdout itself, as in the original code"
    else:
        whose = f"the trial of arm {run.maps.arm} with the lowest validation loss"
    if not (asked and asked.trials == "all") and run.is_cross_validated(run.maps.arm):
        whose = f"a model of the fold that they were held out in: {whose}"
    others = [arm for arm in run.explained_arms if arm != run.maps.arm]
    likewise = f" The scans were explained likewise by {listed(others)}." if others else ""
    return [
        f"{number_of} held-out scans were explained by {run.maps.method}{settings}, starting at the {seed} of "
        f"{whose}.{likewise}"
    ]


def _analysis_sentences(run: Run) -> list[str]:
    said = []
    if run.table("table2") is not None:
        said.append(
            "Intervals of scores are 95 % intervals over participants: Wilson's for sensitivity and specificity, "
            "that of their mean for balanced accuracy, Newcombe's for the AUC; with fewer than five patients or "
            "controls they are quantiles of Beta distributions."
        )
        if run.spec is not None:
            said.append(
                f"Intervals in figures are percentiles of {run.spec.analysis.bootstrap} bootstrap draws of "
                "participants within group."
            )
        if run.is_cross_validated():
            said.append(
                "Those of scores, of differences between arms and of relevance over areas, and all p, are corrected "
                "for the overlap of the k folds of a cross-validation (Nadeau and Bengio 2003): intervals are sqrt(1 "
                "+ k / (k − 1)) times as wide."
            )
    if run.table("lesions") is not None:
        said.append(
            "How maps find lesions is measured within the seen brain by average precision, precision at as many "
            "voxels as lesions have, AUROC and lift, the share of positive relevance inside lesions over the share "
            "of volume. Each map is compared, paired by participant, with the best of eight null maps that do not "
            "use the network: the image, its fourth power, its brightest part and its edges, noise, the training "
            "participants' mean lesion map, the image times that map, and a voxel-wise logistic regression on "
            "intensity, local contrast and that map, fitted to the training participants."
        )
    if run.table("regions") is not None and atlases(run):
        said.append(
            "Regional relevance is summed over the seen voxels of the areas of "
            f"{' and of '.join(atlases(run))}, left and right merged."
        )
    if run.table("region_tests") is not None:
        said.append(
            "Groups are compared area by area by permutation tests of the mean sum, of the sum over the |logit|, and "
            "of the share of the map's |relevance|, with the false discovery rate controlled over all of them "
            "together."
        )
    if run.table("calibration") is not None:
        said.append("Probabilities are calibrated on each trial's validation participants (Platt).")
    if run.table("comparisons") is not None:
        said.append(
            "Arms are compared in pairs on the participants that both evaluated. A score is the mean over an arm's "
            "trials. Tests: DeLong for AUCs; a permutation test that swaps the two arms' answers of a participant "
            "for accuracies, or the exact McNemar test if both arms have one trial; without correction for the "
            "number of pairs."
        )
    return said


def _version(run: Run) -> str:
    return run.log.environment.get("pellucid") or "(version unknown)"
