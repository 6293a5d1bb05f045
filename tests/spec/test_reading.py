"""Specifications: what is read, what is refused and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.ground.errors import CombinedInputError, InputError
from pellucid.simulate.settings import CohortSettings, PretrainingSettings
from pellucid.spec.reading import find_spec, parse_spec, read_spec
from pellucid.spec.spec import Spec
from pellucid.training.settings import TrialSettings

FILE = Path("/folder/study.toml")
TINY = (Path(__file__).parents[1] / "study" / "tiny.toml").read_text(encoding="utf-8")


def parse(text: str) -> Spec:
    return parse_spec(text, file=FILE)


def test_the_shipped_demo_is_whole() -> None:
    spec = read_spec(find_spec("demo"))
    assert list(spec.training) == ["pretraining", "finetuned", "pretrained-only"]
    assert {spec.training[arm].start_from for arm in ("finetuned", "pretrained-only")} == {"pretraining"}
    assert [arm for arm, training in spec.training.items() if not training.fit] == ["pretrained-only"]
    assert spec.training["finetuned"].channels == 64
    assert spec.preparation.scaling == "robust"
    assert spec.explain is not None
    assert spec.explain.arms == ("finetuned", "pretrained-only")
    assert spec.explain.methods == ("lrp-epsilon",)


ARMS = 'arms = ["finetuned"]\ndeletion = ["finetuned"]'


@pytest.mark.parametrize("name", ["demo", "eitel2019", "revised"])
def test_what_ships_is_read_and_reads_back_equal(name: str) -> None:
    spec = read_spec(find_spec(name))
    assert spec.study.name == name
    assert parse_spec(spec.to_toml(), file=Path("/elsewhere/study.toml")) == spec


def test_the_paper_s_study_has_its_sizes_and_settings() -> None:
    spec = read_spec(find_spec("eitel2019"))
    assert {spec.trial_count(name) for name in ("pretraining", "scratch", "finetuned", "lesion-filled")} == {10}
    assert (spec.splits["ms"].holdout, spec.splits["ms"].validation, spec.splits["ms"].stratify) == (23, 19, ())
    table = {name: arm.settings for name, arm in spec.training.items()}  # docs/original.md, 1.2
    for name, rate, decay, batch, epochs, patience, augment in (
        ("pretraining", 1e-3, 0.0, 8, 45, 10, False),
        ("scratch", 5e-4, 2e-3, 4, 200, 15, True),
        ("finetuned", 5e-4, 2e-3, 4, 200, 15, True),
        ("lesion-filled", 8e-4, 2e-3, 4, 200, 15, True),
    ):
        found = table[name]
        assert (found.learning_rate, found.decay, found.batch_size) == (rate, decay, batch)
        assert (found.max_epochs, found.patience, found.augment, found.l2) == (epochs, patience, augment, 0.01)
        assert found.checkpoint == "validation-accuracy"


def test_the_revised_study_never_selects_on_who_is_judged() -> None:
    spec = read_spec(find_spec("revised"))
    assert spec.explain is not None
    assert spec.explain.choose == "validation-loss"
    assert spec.splits["ms"].scheme == "cross-validation"
    assert {arm.settings.checkpoint for arm in spec.training.values()} == {"validation-loss"}


def test_where_a_study_runs_is_not_what_it_is() -> None:
    slurm = '\n[cluster]\nqueue = "long"\nmemory = "16GB"\nwalltime = "08:00:00"\ncores = 4\nworkers = 10\n'
    spec = parse(TINY + slurm)
    assert spec.cluster is not None
    assert (spec.cluster.queue, spec.cluster.workers, spec.cluster.directives) == ("long", 10, ())
    assert parse(TINY).differences(spec) == []
    with pytest.raises(InputError, match=r"line \d+: `cluster.cores` is 0"):
        parse(TINY + slurm.replace("cores = 4", "cores = 0"))
    with pytest.raises(InputError, match=r"line \d+: unknown key `cluster.que`"):
        parse(TINY + slurm.replace("queue", "que").replace("que =", "queue = 'x'\nque ="))


def test_a_confound_that_is_what_is_to_be_told_is_refused() -> None:
    text = """
[study]
name = "leak"
[cohorts.ms]
bids = "ms"
modality = "T1w"
column = "sex"
positive = "F"
negative = "M"
[training.scratch]
cohort = "ms"
[baselines.all]
cohort = "ms"
kind = "logistic-confounds"
"""
    with pytest.raises(InputError, match="has 'sex', which is the label that the network predicts"):
        parse_spec(text, file=Path("study.toml"))
    spec = parse_spec(text + 'confounds = ["age"]\n', file=Path("study.toml"))
    assert spec.baselines["all"].settings.confounds == ("age",)


def test_the_shipped_specifications_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DS002748", "ds002748")
    names = {path.stem for path in find_spec("demo").parent.glob("*.toml")}
    assert names >= {"demo", "eitel2019", "revised", "transfer", "sex-ds002748"}
    for name in names:
        assert read_spec(find_spec(name)).study.name == name


def test_defaults_are_filled_in() -> None:
    spec = parse(TINY)
    ms, first = spec.cohorts["ms"], spec.cohorts["pretraining"]
    assert (ms.modality, ms.positive, ms.negative) == ("FLAIR", "MS", "HC")
    assert (first.modality, first.positive, first.negative) == ("T1w", "AD", "CN")
    assert isinstance(ms.simulate, CohortSettings)
    assert isinstance(first.simulate, PretrainingSettings)
    # Two cohorts of one study are not drawn from one stream.
    assert ms.simulate.seed != first.simulate.seed
    assert spec.training["scratch"].settings == TrialSettings(max_epochs=2)
    assert spec.splits["pretraining"].holdout == 0


def test_an_arm_may_have_the_network_that_sees_the_whole_brain() -> None:
    spec = parse(TINY.replace("channels = 2", 'channels = 2\nnetwork = "whole-brain"'))
    assert [arm.network for arm in spec.training.values()] == ["whole-brain"] * 3
    assert parse(spec.to_toml()) == spec
    assert [arm.network for arm in parse(TINY).training.values()] == ["paper"] * 3


def test_the_study_seed_moves_the_cohorts_but_not_a_seed_that_is_given() -> None:
    first, second = parse(TINY), parse(TINY.replace("seed = 3", "seed = 4"))
    assert first.cohorts["ms"].simulate != second.cohorts["ms"].simulate
    given = TINY.replace("patients = 5", "patients = 5\nseed = 11")
    assert parse(given).cohorts["ms"].simulate.seed == 11  # type: ignore[union-attr]


def test_a_path_may_name_environment_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = TINY.replace(
        'kind = "ms"\npatients = 5\ncontrols = 5\nvoxel_size = 4.0',
        'bids = "$DATA/ms"\nmodality = "FLAIR"\npositive = "MS"\nnegative = "HC"',
    ).replace("[cohorts.ms.simulate]", "[cohorts.ms]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA", "/data")
    assert parse(text).cohorts["ms"].bids == Path("/data/ms")
    monkeypatch.setenv("DATA", "data")  # from where the command is given, not from the specification's folder
    assert parse(text.replace("$DATA", "${DATA}")).cohorts["ms"].bids == (tmp_path / "data" / "ms").resolve()
    monkeypatch.delenv("DATA")
    with pytest.raises(InputError, match=r"line 7: `cohorts.ms.bids` is '\$DATA/ms', but \$DATA is not set"):
        parse(text)


def test_a_bids_cohort_is_found_from_the_specification_file() -> None:
    text = TINY.replace(
        "[cohorts.ms.simulate]", '[cohorts.ms]\nbids = "../data/ms"\nmodality = "FLAIR"\npositive = "MS"'
    )
    text = text.replace('kind = "ms"\npatients = 5\ncontrols = 5\nvoxel_size = 4.0', 'negative = "HC"')
    spec = parse(text)
    assert spec.cohorts["ms"].bids == Path("/data/ms")
    # The copy in the run directory must mean the same from there.
    assert parse_spec(spec.to_toml(), file=Path("/elsewhere/study.toml")) == spec


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[study]", "[study", ["not valid TOML", "line 2"]),
        ("[study]", "[stdy]", ["unknown key `stdy`", "Did you mean `study`?"]),
        ('name = "tiny"', 'name = "Tiny Study"', ["`study.name` is 'Tiny Study'", "a-z, 0-9 and -"]),
        ('name = "tiny"', "", ["`study.name` is missing"]),
        ("seed = 3", "seed = -3", ["`study.seed` is -3"]),
        ("seed = 3", 'seed = "3"', ["`study.seed` is '3'", "a whole number"]),
        ('kind = "ms"', 'kind = "mms"', ["`cohorts.ms.simulate.kind` is 'mms'", "ms, pretraining"]),
        ('kind = "ms"', "", ["`cohorts.ms.simulate.kind` is missing"]),
        ("patients = 5", "patients = 0", ["`cohorts.ms.simulate.patients` is 0"]),
        ("patients = 5", "patient = 5", ["`cohorts.ms.simulate.patient`", "Did you mean `patients`?"]),
        ("voxel_size = 4.0", "voxel_size = 40", ["voxel_size` is 40. Give a spacing from 0.5 to 8 mm"]),
        ("[cohorts.ms.simulate]", '[cohorts.ms]\nbids = "x"\n[cohorts.ms.simulate]', ["one source of scans"]),
        ("[cohorts.ms.simulate]", "[cohorts.MS.simulate]", ["`cohorts.MS` is no usable name"]),
        ("holdout = 4", "holdout = 1.5", ["`splits.ms.holdout` is 1.5", "a share from 0 to below 1"]),
        ("holdout = 4", "holdout = 0", ["`splits.ms.holdout` is 0", "[explain]"]),
        ("validation = 2", "validation = 0", ["`splits.ms.validation` is 0", "early stopping"]),
        ("[splits.ms]", "[splits.mss]", ["`splits.mss` names 'mss'", "ms, pretraining"]),
        ('cohort = "ms"', 'cohort = "mss"', ["`training.finetuned.cohort` names 'mss'", "ms, pretraining"]),
        ("trials = 2", "trials = 0", ["`training.finetuned.trials` is 0"]),
        ("trials = 2", "seed = 2", ["unknown key `training.finetuned.seed`"]),
        ("trials = 2", "batch_size = 0", ["`training.finetuned.batch_size` is 0"]),
        ("trials = 2", 'checkpoint = "best"', ["`training.finetuned.checkpoint` is 'best'", "validation-loss"]),
        (
            "channels = 2\ntrials",
            "channels = 3\ntrials",
            ["`training.finetuned.channels` is 3", "`pretraining` with 2"],
        ),
        (
            "channels = 2\ntrials",
            'network = "whole-brain"\nchannels = 2\ntrials',
            [
                "`training.finetuned.network` is whole-brain",
                "starts from `pretraining` with paper",
                "Give both the same",
            ],
        ),
        (
            "channels = 2\ntrials",
            'network = "whole"\nchannels = 2\ntrials',
            ["`training.finetuned.network` is 'whole'", "Did you mean `whole-brain`?", "paper"],
        ),
        ('start_from = "pretraining"', 'start_from = "pre"', ["`training.finetuned.start_from` names 'pre'"]),
        ('start_from = "pretraining"', 'start_from = "finetuned"', ["leads in a circle (finetuned > finetuned)"]),
        (ARMS, 'arms = ["fine"]', ["`explain.arms` names 'fine'", "pretraining, finetuned, scratch"]),
        (ARMS, "arms = []", ["`explain.arms` is []", "Give a list of one or more, each once"]),
        ('deletion = ["finetuned"]', 'deletion = ["fine"]', ["`explain.deletion` is ['fine']", "`explain.arms`"]),
        ('["finetuned"]', '["finetuned"]\ntrials = "all"\nchoose = "holdout"', ["`explain.choose`", "all trials"]),
        ('["finetuned"]', '["finetuned"]\nmethods = ["a b"]', ["`explain.methods` is ['a b']", "NAME:key=value"]),
        ("bootstrap = 100", "bootstrap = 10", ["`analysis.bootstrap` is 10", "a whole number from 100 to 100,000"]),
        ("bootstrap = 100", "bootstraps = 100", ["Did you mean `bootstrap`?"]),
    ],
)
def test_a_wrong_specification_is_refused_with_file_and_key(old: str, new: str, words: list[str]) -> None:
    assert old in TINY
    with pytest.raises(InputError) as caught:
        parse(TINY.replace(old, new, 1))
    message = str(caught.value)
    assert message.startswith(f"{FILE}: ")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("patients = 5", "patients = 1000000000", "`cohorts.ms.simulate.patients` is 1000000000"),
        ("visits = 2", "visits = 1000000000", "`cohorts.pretraining.simulate.visits` is 1000000000"),
        ("trials = 2", "trials = 1000000000", "`training.finetuned.trials` is 1000000000"),
        ("trials = 2", "trials = 10000", "it needs 100.. models"),
        ("channels = 2", "channels = 100000", "`training.pretraining.channels` is 100000"),
        ("max_epochs = 2", "batch_size = 1000000000000", "`training.pretraining.batch_size` is 1000000000000"),
        ("max_epochs = 2", "max_epochs = 1" + 30 * "0", "`training.pretraining.max_epochs` is 10000000"),
        ("bootstrap = 100", "bootstrap = 1000000000000", "`analysis.bootstrap` is 1000000000000"),
        ("holdout = 4", "scheme = 'cross-validation'\nrepeats = 1000000000", "`splits.ms.repeats` is 1000000000"),
        ("holdout = 4", "scheme = 'cross-validation'\nfolds = 1000\nrepeats = 1000", "it needs .* models"),
        (
            "[50, 500]",
            str(list(range(1, 102))),
            "`explain.deletion_voxels` is .* a list of 1 to 100, each once",
        ),
        ("[50, 500]", "[1" + 30 * "0" + "]", "`explain.deletion_voxels` is 10000000"),
        ("seed = 3", "seed = 1" + 4200 * "0", "`study.seed` is a number of 13953 bits"),
        ('name = "tiny"', f'name = "{500 * "a"}"', "64 at most"),
        ("[training.scratch]", f"[training.{500 * 'a'}]", "64 at most"),
        ("[study]", 70_000 * "# a long remark\n" + "[study]", "a file of this kind has at most 1048576"),
    ],
)
def test_what_no_machine_could_do_is_refused_before_it_is_begun(old: str, new: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "huge.toml").write_text(TINY.replace(old, new, 1))
    with pytest.raises(InputError, match=words):
        read_spec(tmp_path / "huge.toml")


def test_what_is_wrong_between_sections_is_told_at_once() -> None:
    text = TINY.replace("[splits.ms]", "[splits.mss]").replace(
        'start_from = "pretraining"', 'start_from = "pretrainin"'
    )
    with pytest.raises(CombinedInputError) as caught:
        parse(text.replace('[training.scratch]\ncohort = "ms"', '[training.scratch]\ncohort = "msx"'))
    assert [error.what.partition(": ")[2] for error in caught.value.errors] == [
        "`splits.mss` names 'mss', which does not exist",
        "`training.finetuned.start_from` names 'pretrainin', which does not exist",
        "`training.scratch.cohort` names 'msx', which does not exist",
    ]
    assert all(error.fix.startswith("Did you mean `") for error in caught.value.errors)


@pytest.mark.parametrize("section", ["study", "cohorts", "training"])
def test_a_missing_section_is_named(section: str) -> None:
    kept = "\n".join(part for part in TINY.split("\n\n") if not part.lstrip("# \n").startswith(f"[{section}"))
    if section == "study":
        kept = kept[kept.index("[cohorts") :]
    with pytest.raises(InputError, match=rf"\[{section}\] is missing"):
        parse(kept)


def test_nobody_held_out_trains_what_a_fold_starts_from() -> None:
    """By way of another cohort the best of all folds would be taken, which has seen who is judged in this one."""
    text = TINY.replace("holdout = 4", 'scheme = "cross-validation"\nfolds = 2')
    parse(text)
    chain = text.replace("[training.pretraining]", '[training.pretraining]\nstart_from = "scratch"')
    with pytest.raises(InputError, match="through another cohort, from `scratch`, which is trained on `ms` too"):
        parse(chain)
    parse(chain.replace('scheme = "cross-validation"\nfolds = 2', "holdout = 4"))  # held out of every arm


def test_a_bare_name_is_the_shipped_study_and_a_path_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pellucid demo` leaves a run directory called demo: there the name must go on to mean what it means elsewhere."""
    monkeypatch.chdir(tmp_path)
    for name in ("demo", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text("{}")
    assert find_spec("demo").parent.name == "studies"
    assert find_spec("./demo") == Path("demo/study.toml")
    assert find_spec("mine") == Path("mine/study.toml")


def test_a_specification_may_have_the_mark_that_windows_puts_before_text(tmp_path: Path) -> None:
    text = find_spec("demo").read_text(encoding="utf-8")
    (tmp_path / "marked.toml").write_bytes(text.encode("utf-8-sig"))
    (tmp_path / "plain.toml").write_bytes(text.encode("utf-8"))
    assert read_spec(tmp_path / "marked.toml") == read_spec(tmp_path / "plain.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 100_000, "it is nested too deep"),
        ("a = " + "1" * 5000, "it holds a number with thousands of digits"),
        ("a = [", "not valid TOML"),
    ],
)
def test_toml_that_no_parser_takes(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_spec(tmp_path / "odd.toml")
    assert caught.value.where == str(tmp_path / "odd.toml")


def test_a_name_that_is_no_file_lists_what_ships(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="demo"):
        find_spec("nowhere")
    with pytest.raises(InputError, match="does not exist"):
        read_spec(tmp_path / "none.toml")
    with pytest.raises(InputError, match="it is a folder, not a file"):
        read_spec(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(InputError, match="it is not text in UTF-8"):
        read_spec(tmp_path / "latin.toml")
