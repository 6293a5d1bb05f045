"""A small run directory with everything that a study writes: synthetic, seeded, and consistent with itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from scipy import ndimage
from tests.conftest import MadeOnce
from tests.report.visits import make_visits

from pellucid.analysis.averages import Part, group_means, mean_map
from pellucid.analysis.brightness import brightness_alone
from pellucid.analysis.calibration import brier, calibration_summary, expected_calibration_error, reliability
from pellucid.analysis.classification import over_trials
from pellucid.analysis.comparison import paired
from pellucid.analysis.families import with_q
from pellucid.analysis.regions import region_means, regional_relevance
from pellucid.analysis.roc import roc
from pellucid.analysis.subgroups import interactions, subgroups
from pellucid.atlas.find import find_atlas
from pellucid.atlas.template import mni_template
from pellucid.attribution.references import BACH
from pellucid.ground.files import read_json, read_tsv, write_json, write_text, write_tsv
from pellucid.image.grid import MNI_1MM, Grid, resized
from pellucid.image.nifti import write_volume
from pellucid.image.scaling import SCALINGS
from pellucid.maps.evidence import lesion_evidence
from pellucid.report.html.blocks import Note, Picture, Section, Table, Text
from pellucid.rundir.tables import TABLES
from pellucid.trust.lesion_summary import compare_with_nulls, lesion_summary
from pellucid.trust.nulls import Learned
from pellucid.trust.sums_summary import SUMS, alarm_counts, ledger_means, sums_summary

PATIENTS = CONTROLS = 9
HELD_OUT = 6  # of each group
ARMS = {"pretraining": 1, "finetuned": 3, "scratch": 2}
METHOD = "lrp-epsilon"
LAYERS = ("conv1", "conv2", "conv3", "conv4", "fc")


@pytest.fixture(scope="session")
def finished_run(made_once: MadeOnce) -> Path:
    """A whole run directory; tests that change it must copy it first."""
    return made_once("run", lambda root: make_run(root, shape=(31, 37, 31)))


@pytest.fixture
def copy(finished_run: Path, tmp_path: Path) -> Path:
    """A run directory of the test's own, to spoil."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture
def empty_run(tmp_path: Path) -> Path:
    """A run directory of which nothing is left but its record."""
    write_json(tmp_path / "record.json", {})
    return tmp_path


class Look:
    """What a section says."""

    @staticmethod
    def of(section: Section, kind: type) -> list[Any]:
        return [block for block in section.blocks if isinstance(block, kind)]

    def notes(self, section: Section) -> list[str]:
        return [str(block.text) for block in self.of(section, Note) if block.tone == "missing"]

    def words(self, section: Section) -> str:
        texts = [str(paragraph) for block in self.of(section, Text) for paragraph in block.paragraphs]
        return " ".join([*texts, *(str(block.text) for block in self.of(section, Note))])

    def nothing_was_made(self, section: Section, root: Path) -> None:
        assert not self.of(section, Picture)
        assert not self.of(section, Table)
        assert [path.name for path in root.iterdir()] == ["record.json"]


@pytest.fixture(scope="session")
def look() -> Look:
    """How to look at a section."""
    return Look()


@pytest.fixture(scope="session")
def restate() -> Callable[..., None]:
    """Change what the sidecar of a scan's map in a folder says; of all scans without a name."""

    def change(folder: Path, name: str = "sub", **said: object) -> None:
        for path in folder.glob(f"{name}*_relevance.json"):
            write_json(path, read_json(path) | said)

    return change


@pytest.fixture(scope="session")
def dots() -> Callable[..., Any]:
    """All scattered points of a panel of a figure, (n, 2)."""

    def find(figure: Figure, panel: int = 0) -> Any:
        found = [c.get_offsets() for c in figure.axes[panel].collections if isinstance(c, PathCollection)]
        return np.concatenate([np.asarray(points) for points in found])

    return find


def make_run(root: Path, *, shape: tuple[int, int, int]) -> Path:
    """Write a run directory whose grid has `shape` and the corners of the MNI template."""
    generator = np.random.default_rng(7)
    grid = resized(MNI_1MM, shape)
    stops = tuple(int(np.ceil(0.75 * n)) for n in shape)
    seen = np.zeros(shape, dtype=bool)
    seen[tuple(slice(stop) for stop in stops)] = True
    people = _people(generator)
    images, brain, lesions = _scans(people, grid, generator)
    maps = [_map(images[n], brain, lesions[n], seen, bool(label), generator) for n, label in enumerate(people["label"])]

    write_text(root / "study.toml", _SPEC)
    write_json(root / "record.json", _record())
    splits = people[["participant_id", "group", "role"]].assign(cohort="ms", fold=0)
    write_tsv(root / "splits.tsv", splits[["cohort", "fold", "participant_id", "group", "role"]])
    write_json(root / "splits.json", {"Guard": "No participant stands on two sides: 18 participants, 1 cohort."})
    _write_store(root / "stores" / "ms", people, grid, images, brain, lesions)
    predictions = _write_models(root / "models", people, grid, generator)
    judged = predictions[(predictions["arm"] == "finetuned") & (predictions["trial"] == 0)]
    _write_maps(
        root / "maps" / "finetuned" / METHOD, people.assign(logit=judged["logit"].to_numpy()), maps, grid, stops
    )
    _write_tables(root / "tables", people, predictions, images, brain, lesions, maps, seen, grid)
    with_method(root / "tables")
    return root


def _people(generator: np.random.Generator) -> pd.DataFrame:
    rows = []
    for n in range(PATIENTS + CONTROLS):
        patient = n < PATIENTS
        role = "holdout" if n % PATIENTS < HELD_OUT else ("train", "train", "validation")[n % 3]
        age = round(float(generator.normal(40, 9)), 1)
        rows.append((f"sub-{n + 1:04d}", "MS" if patient else "HC", int(patient), age, "FM"[n % 2], role))
    return pd.DataFrame(rows, columns=["participant_id", "group", "label", "age", "sex", "role"])


def _scans(people: pd.DataFrame, grid: Grid, generator: np.random.Generator) -> tuple[Any, Any, Any]:
    """Template brains with noise; patients have bright blobs around the ventricles."""
    template = mni_template(grid)
    brain = ndimage.binary_fill_holes(template > 500)
    base = np.where(brain, (template - 6000) / 1500, 0).astype(np.float32)
    images, lesions = [], []
    for patient in people["label"]:
        mask = np.zeros(grid.shape, dtype=bool)
        for _ in range(12 if patient else 0):
            side = generator.choice((-1, 1))
            point = grid.voxel(
                (side * generator.uniform(16, 34), generator.uniform(-55, 25), generator.uniform(12, 34))
            )
            distance = np.linalg.norm(
                (np.indices(grid.shape).T - point).T * np.reshape(grid.voxel_sizes, (3, 1, 1, 1)), axis=0
            )
            mask |= distance < generator.uniform(4, 8)
        mask &= brain
        noise = ndimage.gaussian_filter(generator.normal(size=grid.shape), 0.6)
        images.append(np.where(brain, base + 0.5 * noise + 2.5 * mask, 0).astype(np.float32))
        lesions.append(mask)
    return np.array(images), brain, np.array(lesions)


def _map(image: Any, brain: Any, lesions: Any, seen: Any, patient: bool, generator: np.random.Generator) -> Any:
    noise = generator.standard_t(3, size=image.shape) * 6e-4
    signal = 0.02 * ndimage.gaussian_filter(lesions.astype(float), 0.7) * generator.normal(1, 0.5, image.shape)
    return ((signal + noise + (2e-5 if patient else -6e-5)) * brain * seen).astype(np.float32)


def _write_store(folder: Path, people: pd.DataFrame, grid: Grid, images: Any, brain: Any, lesions: Any) -> None:
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", images)
    np.save(folder / "brain.npy", np.repeat(brain[None], len(people), axis=0))
    np.save(folder / "lesions.npy", lesions)
    volume = lesions.sum(axis=(1, 2, 3)) * grid.voxel_volume_ml
    has_mask = np.arange(len(people)) != 1  # the second patient's lesions were not drawn
    table = people.drop(columns="role").assign(
        session_id=pd.NA, edss=np.where(people["label"], 2.5, np.nan), lesion_volume_ml=volume, has_lesion_mask=has_mask
    )
    write_tsv(folder / "table.tsv", table)
    description = {"grid": grid.to_json(), "scaling": "robust", "modality": "FLAIR", "classes": {"0": "HC", "1": "MS"}}
    problems = [["sub-0099", "the gzip file is truncated"]]
    write_json(folder / "store.json", description | {"resampling": "antialias", "problems": problems, "remarks": []})


def _write_models(folder: Path, people: pd.DataFrame, grid: Grid, generator: np.random.Generator) -> pd.DataFrame:
    every = []
    for arm, trials in ARMS.items():
        for trial in range(trials):
            home = folder / arm / f"trial-{trial:02d}"
            epoch = np.arange(1, 13)
            loss = 0.75 * np.exp(-epoch / (3 if arm == "finetuned" else 7)) + 0.1 + generator.normal(0, 0.02, 12)
            history = pd.DataFrame(
                {
                    "epoch": epoch,
                    "train_loss": loss + 0.03,
                    "train_accuracy": 1 - loss / 2,
                    "val_loss": loss + 0.05,
                    "val_accuracy": np.clip(1 - loss / 1.6, 0, 1),
                    "seconds": 20.0,
                    "best": loss == loss.min(),
                }
            )
            write_tsv(home / "history.tsv", history)
            trained = {
                "settings": {
                    "learning_rate": 0.0005,
                    "batch_size": 4,
                    "max_epochs": 12,
                    "patience": 5,
                    "augment": True,
                },
                "epoch": int(history.loc[history["best"], "epoch"].iloc[0]),
                "epochs": 12,
                "val_loss": float(history["val_loss"].min()),
                "val_accuracy": 0.9,
                "val_auc": 0.95,
            }
            description = {"channels": 64, "grid": grid.to_json(), "modality": "FLAIR", "scaling": "robust"}
            write_json(home / "model.json", description | {"classes": {"0": "HC", "1": "MS"}, "trained": trained})
            gap = 3.0 if arm == "finetuned" else 1.2
            logit = gap * (people["label"] - 0.5) + generator.normal(0, 1, len(people))
            table = people[["participant_id", "group", "label", "role"]].assign(
                session_id=pd.NA, logit=logit, probability_not_calibrated=1 / (1 + np.exp(-logit))
            )
            write_tsv(home / "predictions.tsv", table)
            every.append(table.assign(arm=arm, trial=trial))
        write_json(folder / arm / "selected.json", {"trial": "trial-00", "criterion": "lowest validation loss"})
    return pd.concat(every, ignore_index=True)


def _write_maps(folder: Path, people: pd.DataFrame, maps: list[Any], grid: Grid, stops: tuple[int, ...]) -> None:
    share = float(np.prod([stop / n for stop, n in zip(stops, grid.shape, strict=True)]))
    sidecar = {
        "Method": METHOD,
        "References": [BACH],
        "Parameters": {"epsilon": 0.001},
        "SeedNeuron": "logit",
        "Model": "../../../models/finetuned/trial-00",
        "FieldOfView": {"Stops": list(stops), "SeenShare": share},
    }
    held_out = people[people["role"] == "holdout"]
    name = "space-MNI152NLin6Asym_desc-lrpEpsilon"
    for n, row in held_out.iterrows():
        path = folder / f"{row['participant_id']}_{name}_relevance.nii.gz"
        write_volume(path, maps[n], grid, sidecar=sidecar | {"Logit": row["logit"]})  # type: ignore[call-overload]
    means = group_means(Part(row["group"], maps[n]) for n, row in held_out.iterrows())  # type: ignore[call-overload]
    for group, average in means.items():
        path, said = folder / f"group-{group}_{name}Mean_relevance.nii.gz", {"Group": group, "Scans": average.number}
        write_volume(path, average.values, grid, sidecar=sidecar | said)


def _write_tables(
    folder: Path,
    people: pd.DataFrame,
    predictions: pd.DataFrame,
    images: Any,
    brain: Any,
    lesions: Any,
    maps: Any,
    seen: Any,
    grid: Grid,
) -> None:
    held_out = predictions[predictions["role"] == "holdout"]
    table2, curves = [], []
    for arm in ("finetuned", "scratch"):
        one = held_out[held_out["arm"] == arm]
        start = "pretraining" if arm == "finetuned" else None
        table2.append(over_trials(one).assign(arm=arm, pretraining=start, n_trials=ARMS[arm], n_subjects=12))
        curves.append(roc(one).assign(arm=arm))
    write_tsv(folder / "table2.tsv", pd.concat(table2))
    write_tsv(folder / "roc.tsv", pd.concat(curves))
    write_tsv(folder / "table1.tsv", _table1(people))
    _write_judgements(folder, people, held_out)
    generator = np.random.default_rng(1)
    means = people[["participant_id", "label"]].assign(
        **{
            name: generator.normal(shift * people["label"], 1)
            for name, shift in zip(SCALINGS, (0, 0.3, -0.8, -1.5), strict=True)
        }
    )
    write_tsv(folder / "brightness.tsv", brightness_alone(means).assign(cohort="ms", n_subjects=len(people)))

    atlas = find_atlas("neuromorphometrics").on(grid)
    population = mean_map(lesions[people["role"] == "train"])
    lesion_rows, region_rows, ledger_rows = [], [], []
    for n, row in people[people["role"] == "holdout"].iterrows():
        who = {"arm": "finetuned", "participant_id": row["participant_id"], "group": row["group"]}
        who["networks"] = "finetuned/trial-00"
        known = {"brain": brain, "seen": seen, "learned": Learned(mean_lesion=population, missing="no regression")}
        mask = lesions[n] if n != 1 else None  # type: ignore[call-overload]
        evidence = lesion_evidence(maps[n], mask, name=METHOD, image=images[n], grid=grid, **known)  # type: ignore[call-overload]
        lesion_rows.append(evidence.assign(**who))
        table = regional_relevance(maps[n], atlas.labels, atlas.regions, seen)
        region_rows.append(table.assign(**who, correct=True, atlas="neuromorphometrics"))
        level = float(maps[n].sum())
        for layer in LAYERS:  # in the order of the forward pass, as explanations give it
            bias, epsilon = 0.12 * level + 0.05, 0.02 * level
            ledger_rows.append(
                {**who, "layer": layer, "relevance_in": level, "absorbed_bias": bias, "absorbed_epsilon": epsilon}
            )
            level += bias + epsilon
            ledger_rows[-1]["relevance_out"] = level
    write_lesion_tables(folder, pd.concat(lesion_rows))
    regions = pd.concat(region_rows)
    write_tsv(folder / "regions.tsv", regions)
    untested = dict.fromkeys(("q", "q_per_logit", "q_per_gross"), 0.5)
    means = region_means(regions, ["MS", "HC"]).assign(arm="finetuned", atlas="neuromorphometrics", **untested)
    write_tsv(folder / "regions_summary.tsv", means)
    write_tsv(folder / "region_tests.tsv", means[["arm", "atlas", "area", *untested]])
    write_tsv(folder / "ledger.tsv", pd.DataFrame(ledger_rows))
    whole = dict.fromkeys((*SUMS, "gross_per_logit", "absorbed_bias", "absorbed_epsilon"), 1.0)
    sums = pd.DataFrame([{"arm": "finetuned", "group": group, **whole, "alarm": "none"} for group in ("MS", "HC")])
    write_tsv(folder / "sums.tsv", sums)
    write_tsv(folder / "sums_summary.tsv", sums_summary(sums).assign(arm="finetuned"))
    write_tsv(folder / "alarms.tsv", pd.DataFrame([{"arm": "finetuned", **alarm_counts(sums)}]))
    write_tsv(folder / "ledger_summary.tsv", ledger_means(pd.DataFrame(ledger_rows)).assign(arm="finetuned"))


def with_method(folder: Path) -> None:
    """Give every table of maps its column `method`."""
    for path in folder.glob("*.tsv"):
        table = read_tsv(path)
        if "method" in TABLES.get(path.stem, ()) and "method" not in table:
            write_tsv(path, table.assign(method=METHOD))


def write_lesion_tables(folder: Path, lesions: pd.DataFrame) -> None:
    """Write tables/lesions.tsv and what a study makes of it."""
    write_tsv(folder / "lesions.tsv", lesions)
    groups = lesions.groupby(["arm", "group"], sort=False)
    summaries = [lesion_summary(one).assign(arm=arm, group=group) for (arm, group), one in groups]
    write_tsv(folder / "lesions_summary.tsv", pd.concat(summaries))
    patients = lesions[lesions["group"] == "MS"].groupby("arm", sort=False)
    write_tsv(
        folder / "lesions_compared.tsv", pd.concat([compare_with_nulls(one).assign(arm=arm) for arm, one in patients])
    )
    with_method(folder)


def _write_judgements(folder: Path, people: pd.DataFrame, held_out: pd.DataFrame) -> None:
    """Write the comparisons of the two arms, with a third that has nobody in common, the calibration and subgroups."""
    by_arm = {arm: held_out[held_out["arm"] == arm] for arm in ("finetuned", "scratch")}
    compared = with_q(paired(*by_arm.values(), permutations=199, seed=0))
    compared = compared.assign(arm_one="finetuned", arm_two="scratch", problem="")
    lone = pd.DataFrame([{"arm_one": "finetuned", "arm_two": "lone", "problem": "nobody in common. Do <b>not</b>."}])
    write_tsv(folder / "comparisons.tsv", pd.concat([compared, lone], ignore_index=True))
    bins, groups = [], []
    known = people.assign(edss=np.where(people["label"] == 1, 2.5, np.nan))
    for arm, one in by_arm.items():
        label = one["label"].to_numpy()
        for kind, gain in (("sigmoid", 1.0), ("calibrated", 0.5)):
            probability = 1 / (1 + np.exp(-gain * one["logit"].to_numpy()))
            scores = {"brier": brier(label, probability), "ece": expected_calibration_error(label, probability)}
            bins.append(reliability(label, probability).assign(arm=arm, kind=kind, reason="", **scores))
        tested = interactions(one, known, permutations=99, seed=0).assign(q=1.0)
        tested = tested.rename(columns={"p": "interaction_p", "q": "interaction_q"})
        tested = tested[["factor", "interaction_p", "interaction_q"]]
        groups.append(subgroups(one, known).assign(arm=arm).merge(tested, how="left", on="factor"))
    write_tsv(folder / "calibration.tsv", pd.concat(bins, ignore_index=True))
    write_tsv(folder / "calibration_summary.tsv", calibration_summary(pd.concat(bins)))
    write_tsv(folder / "subgroups.tsv", pd.concat(groups, ignore_index=True))


def _table1(people: pd.DataFrame) -> pd.DataFrame:
    age = people.groupby(["group", "role"])["age"].agg(["count", "mean", "std", "min", "max"]).reset_index()
    table = age.rename(
        columns={"count": "age_n", "mean": "age_mean", "std": "age_sd", "min": "age_min", "max": "age_max"}
    )
    return table.assign(cohort="ms", participants=table["age_n"], scans=table["age_n"], female=1, edss_n=0)


def _record() -> dict[str, Any]:
    done = {"state": "done", "started": "2026-11-23T07:10:00Z", "finished": "2026-11-23T07:11:40Z", "seconds": 100.0}
    environment = {
        "pellucid": "0.1.0",
        "python": "3.11.7",
        "packages": {"torch": "2.13.0", "numpy": "2.4.6"},
        "processor": "a processor",
        "cores": 2,
        "threads": 2,
        "memory_gb": 16.0,
        "gpus": [],
        "platform": "Linux",
    }
    return {
        "study": "small",
        "seed": 0,
        "state": "done",
        "runs": [
            {"started": "2026-11-23T07:10:00Z", "finished": "2026-11-23T07:20:00Z", "environment": environment},
        ],
        "tasks": {
            "store/ms": done
            | {"problems": [{"subject": "sub-0099", "message": "the gzip file is truncated. Copy it again."}]},
            "train/finetuned/trial-00": done,
        },
    }


_SPEC = """
[study]
name = "small"
title = "A small study for tests"
seed = 0

[cohorts.ms]
modality = "FLAIR"
[cohorts.ms.simulate]
kind = "ms"
patients = 9

[preparation]
scaling = "robust"

[training.pretraining]
cohort = "pretraining"
trials = 1

[training.finetuned]
cohort = "ms"
start_from = "pretraining"
trials = 3

[training.scratch]
cohort = "ms"
trials = 2

[explain]
arms = ["finetuned"]
methods = ["lrp-epsilon"]

[analysis]
atlases = ["neuromorphometrics"]
bootstrap = 2000
"""


class Page(HTMLParser):
    """All tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="session")
def parse() -> type[Page]:
    """What reads a page."""
    return Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium as the system has it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as session:
        opened = session.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def visits(made_once: MadeOnce) -> Path:
    """A preprocessed dataset, small; tests that change it must copy it first."""
    return made_once("visits", make_visits)
