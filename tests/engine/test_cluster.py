"""What is said of clusters that cannot be used, and what Slurm is asked for."""

from __future__ import annotations

import logging
import os
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client, Security

from pellucid.engine import cluster
from pellucid.engine.cluster import ClusterSettings, check_cluster, open_pool, slurm_cluster
from pellucid.ground.errors import InputError, PellucidError

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


def test_nobody_without_the_key_reaches_the_scheduler_of_a_local_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another user of the machine may try, to whom the loopback device is as open as to this one."""
    logger = logging.getLogger("distributed.batched")
    before = logger.getEffectiveLevel()
    with open_pool("local", workers=1) as pool:
        address = str(pool.client.scheduler.address)
        assert address.startswith("tls://127.0.0.1:")
        assert pool.client.submit(os.getpid).result() != os.getpid()
        for said in (logger.getEffectiveLevel(), pool.client.submit(logging.Logger.getEffectiveLevel, logger).result()):
            assert said == logging.CRITICAL  # also of connections that close after Dask's own silence has ended
        info = pool.client.scheduler_info()
        services = [info["services"], *(worker["services"] for worker in info["workers"].values())]
        ports = {port for some in services for port in some.values()}
        workers = [worker["nanny"] for worker in info["workers"].values()]
        for where in (address, *info["workers"], *workers):
            assert where.startswith("tls://127.0.0.1:")
            for stranger in (where, where.replace("tls://", "tcp://")):
                security = Security.temporary() if stranger.startswith("tls") else None
                with pytest.raises((OSError, TimeoutError)):
                    Client(stranger, timeout=2, security=security)
        for port in ports:
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/info/main/workers.html", timeout=5)
    assert logger.getEffectiveLevel() == before


def test_a_worker_that_ends_while_the_cluster_starts_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr("distributed.LocalCluster", fail)
    words = r"did not start \(Nanny failed to start.\).*The same command resumes the run"
    with pytest.raises(PellucidError, match=words), open_pool("local", workers=1):
        pass


@pytest.mark.parametrize("key", ["queue", "memory", "walltime", "account", "directives"])
def test_a_setting_cannot_begin_a_line_of_a_job_s_script(key: str) -> None:
    evil = "long\ntouch PWNED"
    with pytest.raises(InputError, match="it becomes a line of a script") as caught:
        replace(SLURM, **{key: (evil,) if key == "directives" else evil})
    assert caught.value.where == key


def test_a_job_of_slurm_asks_for_what_the_settings_say(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    with pytest.raises(InputError, match="slurm has no settings"):
        check_cluster("slurm", None)
    check_cluster("slurm", SLURM)
    with slurm_cluster(SLURM, security=Security.temporary(), keys=tmp_path) as jobs:
        script = jobs.job_script()
        keys = [path for path in tmp_path.iterdir() if path.is_file()]
        assert len(keys) == 3
        assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
        assert str(jobs.scheduler_address).startswith("tls://")
    assert "--tls-key" in script
    assert "export PYTHONSAFEPATH=1" in script
    for line in ("-p long", "-A lab", "--cpus-per-task=8", "--mem=15G", "-t 24:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}\n" in script
    assert "--nthreads 1" in script
    assert "--memory-limit 0" in script
