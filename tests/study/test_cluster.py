"""What is said of clusters that cannot be used, and what Slurm is asked for."""

from __future__ import annotations

import sys

import pytest

from pellucid.errors import InputError
from pellucid.study import cluster
from pellucid.study.cluster import ClusterSettings, check_cluster, open_pool, slurm_cluster

SLURM = ClusterSettings(
    queue="long", memory="16GB", walltime="24:00:00", cores=8, workers=4, account="lab", directives=("--gres=gpu:1",)
)


@pytest.mark.parametrize("where", ["slum", "host:8786", ""])
def test_another_word_for_a_cluster_is_refused(where: str) -> None:
    with pytest.raises(InputError, match="Give local, slurm or a scheduler's address"):
        check_cluster(where, None)


def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "SECONDS_TO_ANSWER", 0.5)
    with pytest.raises(InputError, match="no scheduler answers"), open_pool("tcp://127.0.0.1:9"):
        pass


def test_slurm_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(InputError, match=r"pip install 'pellucid\[slurm\]'"):
        check_cluster("slurm", SLURM)


def test_a_job_of_slurm_asks_for_what_the_settings_say() -> None:
    pytest.importorskip("dask_jobqueue")
    with pytest.raises(InputError, match="slurm has no settings"):
        check_cluster("slurm", None)
    check_cluster("slurm", SLURM)
    with slurm_cluster(SLURM) as jobs:
        script = jobs.job_script()
    for line in ("-p long", "-A lab", "--cpus-per-task=8", "--mem=15G", "-t 24:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}\n" in script
    assert "--nthreads 1" in script
    assert "--memory-limit 0" in script
