"""Processes of a run: what is refused, which clusters are found, and that one alone is told nothing new."""

import subprocess
import sys
import warnings

import jax
import pytest

from ccalign_jax import processes
from ccalign_jax.processes import ALONE, LOST, Processes, check, join, leave

MISTAKES = {
    "no port": (("here", 2, 0), ["--coordinator=here", "HOST:PORT"]),
    "no host": ((":1234", 2, 0), ["--coordinator=:1234", "HOST:PORT"]),
    "no such port": (("here:70000", 2, 0), ["--coordinator=here:70000", "HOST:PORT"]),
    "no number": (("here:1234", 2, None), ["--processes and --process"]),
    "no count": (("here:1234", None, 0), ["--processes and --process"]),
    "no processes": (("here:1234", 0, 0), ["--processes=0"]),
    "number too large": (("here:1234", 2, 2), ["--process=2", "0 to 1"]),
    "number below": (("here:1234", 2, -1), ["--process=-1", "0 to 1"]),
    "count alone": ((None, 2, None), ["--coordinator"]),
    "number alone": ((None, None, 1), ["--coordinator"]),
}


@pytest.mark.parametrize("numbers, parts", MISTAKES.values(), ids=MISTAKES)
def test_senseless_numbers_are_one_line(numbers, parts, one_line):
    one_line(lambda: check(*numbers), *parts)


def test_a_time_that_is_none_is_one_line(one_line):
    one_line(lambda: join("here:1234", 2, 0, lost_after=0), "--lost_after=0")


def test_workers_are_dealt_round():
    shares = [Processes(3, number).share(range(8)) for number in range(3)]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert ALONE.share(range(3)) == [0, 1, 2]


SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_NODELIST": "node[001-002]",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "0",
}
MPI = {"OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1:34911", "OMPI_COMM_WORLD_SIZE": "4"}
CLUSTERS = {
    "nothing": ({}, False),
    "slurm": (SLURM, True),
    "one task of slurm": ({**SLURM, "SLURM_NTASKS": "1"}, False),
    "a shell on a slurm machine": ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8"}, False),
    "open mpi": (MPI, True),
    "a pod of kubernetes": ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, False),
}


@pytest.fixture
def nowhere(monkeypatch):
    """An environment that no cluster made."""
    for name in ("JOB_COMPLETION_INDEX", "KUBERNETES_SERVICE_HOST", *SLURM, *MPI):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("environment, found", CLUSTERS.values(), ids=CLUSTERS)
def test_a_cluster_is_found_where_it_started_several(environment, found, nowhere, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert processes._in_a_cluster() == found


def test_tpu_hosts_of_gke_are_found(nowhere, monkeypatch):
    """As on a machine with TPUs: jax looks at the same variables."""
    from jax._src.clusters import cloud_tpu_cluster

    monkeypatch.setattr(cloud_tpu_cluster, "running_in_cloud_tpu_vm", True)
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")
    monkeypatch.setenv("MEGASCALE_NUM_SLICES", "1")
    for hosts, found in (("one", False), ("one,two", True)):
        monkeypatch.setenv("TPU_WORKER_HOSTNAMES", hosts)
        assert processes._in_a_cluster() == found


def test_a_board_that_is_gone_is_a_loss(monkeypatch):
    """Python may see it before jax does: both end alike."""

    class Gone:
        def key_value_dir_get(self, folder):
            raise jax.errors.JaxRuntimeError("UNAVAILABLE: Failed to connect")

    def exit_with(status):
        raise SystemExit(status)

    monkeypatch.setattr(processes.os, "_exit", exit_with)
    with pytest.raises(SystemExit) as ended:
        Processes(2, 1, Gone()).keys("ended")
    assert ended.value.code == LOST


ABORTS = """
import os, sys
from ccalign_jax import processes

class Gone:
    def wait_at_barrier(self, name, patience):
        os.write(2, b"twenty lines of C++")
        os.abort()

processes._joined = processes.Processes(2, 1, Gone())
processes._on_abort(processes._end_as_lost)
print("error: process 0 has ended, and says why", file=sys.stderr)
processes.leave(2)
"""


def test_who_has_said_why_it_ends_is_not_lost():
    """The others pass the last barrier a moment before this process does: jax aborts, which says nothing new."""
    done = subprocess.run([sys.executable, "-c", ABORTS], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "error: process 0 has ended, and says why\n")


def test_alone_nothing_is_started(nowhere, monkeypatch):
    monkeypatch.setattr(jax.distributed, "initialize", None)
    assert join() is ALONE and join(count=1) is ALONE
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    assert join(count=1) is ALONE  # forced
    leave(5)  # returns: nobody waits
    ALONE.end()


def test_what_jax_says_is_one_line(nowhere, monkeypatch, one_line):
    """The tests have long begun to compute, which is too late for jax."""
    monkeypatch.setattr(processes, "_on_abort", lambda end: None)
    options = ("jax_enable_preemption_service", "jax_cpu_collectives_implementation")
    before = {name: getattr(jax.config, name) for name in options}
    jax.devices()
    one_line(lambda: join("127.0.0.1:1", 2, 1), "--coordinator=127.0.0.1:1", "must be called before")
    for name, value in before.items():
        jax.config.update(name, value)
