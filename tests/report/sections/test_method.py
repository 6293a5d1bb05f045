"""The method names what ran and nothing else, on the page as in CITATION.md."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.runs import change_explain, change_spec, cross_validated

from pellucid.report.sections import method as module
from pellucid.report.sections.method import citation, method
from pellucid.rundir.run import open_run
from pellucid.spec.arms import Baseline
from pellucid.spec.sections import Split
from pellucid.training.settings import TrialSettings


def test_the_method_names_what_ran_and_nothing_else(finished_run: Path, tmp_path: Path, look: Any) -> None:
    run = open_run(finished_run)
    said = look.words(method(run))
    for words in (
        "10 simulated FLAIR scans of",
        "7 simulated T1w scans of",
        "96x114x96",
        "“robust”",
        "finetuned started from the selected",
    ):
        assert words in said
    assert "trained 2 times" in said
    assert "lrp-epsilon (epsilon 0.001)" in said
    assert "100 bootstrap draws" in said
    (tmp_path / "record.json").write_text("{}")
    nothing = look.words(method(open_run(tmp_path)))
    assert "bootstrap" not in nothing
    assert "Arm" not in nothing


def test_the_citation_holds_the_same_words_and_cites_what_ran(finished_run: Path, tmp_path: Path, look: Any) -> None:
    run = open_run(finished_run)
    text = citation(run)
    assert "10 simulated FLAIR scans of" in text
    for reference in ("Eitel F", "Bach S", "Fonov V", "Paszke A"):
        assert reference in text
        assert reference in look.words(method(run))
    (tmp_path / "record.json").write_text("{}")
    nothing = citation(open_run(tmp_path))
    assert "Eitel F" in nothing
    for reference in ("Bach S", "Fonov V", "Paszke A", "Neuromorphometrics"):
        assert reference not in nothing


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"holdout": 4}, "split once into training, validation and holdout, at random within each group."),
        ({"holdout": 0}, "split once into training and validation, at random within each group."),
        ({"holdout": 4, "stratify": ()}, "split once into training, validation and holdout, at random."),
        (
            {"scheme": "cross-validation", "folds": 5, "repeats": 2, "stratify": ("group", "sex", "age")},
            "split balanced by group, sex, age for a 5-fold cross-validation, repeated 2 times;",
        ),
        ({"scheme": "cross-validation", "folds": 3}, "split at random within each group for a 3-fold"),
    ],
)
def test_how_a_cohort_was_divided_is_said(how: dict[str, Any], said: str) -> None:
    assert said in module._split_sentence("ms", Split(**how))


TRAINED = {"images": "prepared", "untrained": False, "settings": TrialSettings().to_json()}


@pytest.mark.parametrize(
    ("start", "trained", "said"),
    [
        (None, {}, "Arm a started from random weights and was trained 2 times"),
        (None, {"images": "lesion-mask"}, "Arm a is a control, given the lesion mask alone"),
        (None, {"images": "brain-mask"}, "Arm a is a control, given the brain mask alone"),
        ("b", {"images": "lesion-filled"}, "Arm a was given scans whose lesions had been filled; it started from the"),
        (None, {"untrained": True}, "Arm a kept its random weights: a control that has learned nothing."),
        (
            "b",
            {"untrained": True},
            "Arm a kept the weights of the selected trial of b: a control that has learned nothing of this cohort.",
        ),
    ],
)
def test_what_an_arm_is_fits_one_sentence(start: str | None, trained: dict[str, Any], said: str) -> None:
    sentence = module._arm_sentence("a", start, TRAINED | trained, 2, {})
    assert sentence.startswith(said)
    assert sentence.count(". ") == 0


def test_settings_that_were_said_before_are_said_once() -> None:
    known: dict[str, str] = {}
    one, two = (TRAINED | {"settings": TrialSettings(learning_rate=rate).to_json()} for rate in (0.1, 0.2))
    first = module._arm_sentence("a", None, one, 1, known)
    assert "trained 1 time with Adam (learning rate 0.1, " in first
    assert module._arm_sentence("b", None, one, 1, known).endswith("trained 1 time with the settings of a.")
    assert "with Adam (learning rate 0.2, " in module._arm_sentence("c", None, two, 1, known)


@pytest.mark.parametrize(
    ("settings", "images", "said"),
    [
        ({"kind": "svm-lesion-load"}, "prepared", "on the lesion volume, kernel and penalty chosen"),
        ({"kind": "svm-image"}, "prepared", "on all voxels of the prepared scans, kernel"),
        (
            {"kind": "svm-image", "components": (10, 25)},
            "lesion-filled",
            "on the principal components of the lesion-filled scans (10 or 25), kernel",
        ),
        (
            {"kind": "svm-image", "protocol": "paper"},
            "lesion-filled",
            "on all voxels of the lesion-filled scans, fitted as in the paper's code, including its errors.",
        ),
        ({"kind": "svm-lesion-load", "protocol": "paper"}, "prepared", "a missing mask counts as random numbers"),
        (
            {"kind": "logistic-confounds", "confounds": ("age", "sex", "brain_volume_ml"), "missing": "impute"},
            "prepared",
            "a logistic regression on age, sex and brain volume alone",
        ),
        (
            {"kind": "logistic-confounds", "confounds": ("brightness",), "missing": "exclude"},
            "prepared",
            "on mean brightness alone, on which a diagnosis should not depend, scans without one excluded",
        ),
    ],
)
def test_what_a_baseline_is_fits_one_sentence(settings: dict[str, Any], images: Any, said: str) -> None:
    sentence = module._baseline_sentence("b", Baseline(cohort="ms", images=images, **settings))
    assert sentence.startswith("Baseline b is ")
    assert said in sentence
    assert sentence.count(". ") == 0


def test_a_baseline_is_told_of_once_it_was_fitted(copy: Path) -> None:
    assert "Baseline confounds is a logistic regression on age, sex" in module.method_text(open_run(copy))
    shutil.rmtree(copy / "baselines" / "confounds")
    assert "Baseline confounds" not in module.method_text(open_run(copy))


def test_atlases_are_named_and_cited(copy: Path) -> None:
    text = citation(open_run(copy))
    assert "of neuromorphometrics and of jhu-made-up, left and right merged" in text
    assert "Neuromorphometrics, Inc." in text
    change_spec(copy, lambda spec: replace(spec, analysis=replace(spec.analysis, atlases=("neuromorphometrics",))))
    text = citation(open_run(copy))
    assert "of neuromorphometrics, left and right merged" in text
    assert "jhu" not in text.lower()


@pytest.mark.parametrize(
    ("explain", "said"),
    [
        ({}, "the logit of the trial of arm finetuned with the lowest validation loss."),
        ({"choose": "holdout"}, "with the best result on the holdout itself"),
        (
            {"arms": ("finetuned", "scratch", "untrained"), "trials": "all"},
            "each map is the mean of these. The scans were explained likewise by scratch and untrained.",
        ),
    ],
)
def test_which_models_are_explained_is_said(copy: Path, look: Any, explain: dict[str, Any], said: str) -> None:
    change_spec(copy, lambda spec: change_explain(spec, **explain))
    assert said in look.words(method(open_run(copy)))


def test_a_network_that_is_not_pellucid_s_is_named_with_its_options() -> None:
    own: dict[str, Any] = {"architecture": "nets:Small", "channels": None, "options": {"width": 8}}
    assert module._network_sentence(own) == (
        "The network is nets:Small, which is not part of Pellucid, with width = 8."
    )
    assert module._network_sentence(own | {"options": {}}).endswith("is not part of Pellucid.")
    assert "with 4 channels per" in module._network_sentence({"architecture": "PaperNetwork", "channels": 4})


def test_the_correction_of_a_cross_validation_is_told_once(copy: Path) -> None:
    assert "Nadeau" not in module.method_text(open_run(copy))
    change_spec(copy, cross_validated)
    text = citation(open_run(copy))
    assert text.count("Nadeau and Bengio 2003") == 1
    assert "sqrt(1 + k / (k − 1)) times as wide" in text
    assert "the logit of a model of the fold that they were held out in: the trial of arm finetuned" in text


def test_arms_are_compared_as_the_table_does_it(copy: Path) -> None:
    said = module.method_text(open_run(copy))
    for words in ("the mean over an arm's trials", "DeLong for AUCs", "swaps the two arms' answers", "one trial"):
        assert words in said
