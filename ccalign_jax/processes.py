"""Processes of one run: discovery, communication through a key-value store, and termination when one is lost."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ccalign_jax.errors import InputError

__all__ = ["ALONE", "LOST", "Processes", "check", "join", "leave"]

Unit = TypeVar("Unit")

LOST = 3  # exit status of a process whose run has lost another
LOST_WORDS = (
    "error: a process of this run was lost or did not come (JAX says more above); finished trials are kept: "
    "the same command with --resume goes on, on any number of processes and devices\n"
)
PATIENCE = 1_000  # milliseconds between two looks whether process 0 has ended
FAREWELL = 20_000  # milliseconds that a process waits for others to read why it ends


@dataclasses.dataclass(frozen=True)
class Processes:
    """This process among those of a run. Processes communicate through a key-value store.

    Attributes:
        count: how many there are.
        number: of this one; 0 leads: it prints, claims the folder and writes the results.
        store: jax's key-value store; None where there is one process.

    Example:
        >>> Processes(count=3, number=1).share("abcdefg")
        ['b', 'e']
    """

    count: int = 1
    number: int = 0
    store: Any = None

    def share(self, units: Sequence[Unit]) -> list[Unit]:
        """The items assigned to this process, one in turn to each."""
        return list(units[self.number :: self.count])

    def put(self, name: str, content: bytes = b"") -> None:
        """Store a value, once."""
        self._ask("key_value_set_bytes", f"ccalign/content/{name}", content)
        self._ask("key_value_set", f"ccalign/names/{name}", "set")  # last: what is listed is there

    def keys(self, folder: str) -> list[str]:
        """The names in the store that begin with `folder/`."""
        listed = self._ask("key_value_dir_get", f"ccalign/names/{folder}/")
        return sorted(key.removeprefix("ccalign/names/") for key, _ in listed)

    def get(self, name: str) -> bytes:
        """The value stored under this name, waiting for it.

        Raises:
            InputError: process 0 has ended.
        """
        while (content := self._ask("blocking_key_value_get_bytes", f"ccalign/content/{name}", PATIENCE)) is None:
            if self.keys("ended"):
                raise InputError(f"process {self.number}: process 0 has ended, and says why")
        return content

    def delete(self, name: str) -> None:
        """Delete a value from the store."""
        for kind in ("names", "content"):
            self._ask("key_value_delete", f"ccalign/{kind}/{name}")

    def _ask(self, what: str, *inputs: Any) -> Any:
        """Answer of the store; None if there is none within the time given."""
        import jax

        try:
            return getattr(self.store, what)(*inputs)
        except jax.errors.JaxRuntimeError as error:
            if "DEADLINE_EXCEEDED" in str(error):
                return None
            if "UNAVAILABLE" in str(error):  # process 0 is gone: jax is about to abort
                _end_as_lost()
            raise

    def end(self) -> None:
        """Wait until process 0 has come here too, and leave."""
        global _joined
        if self.count == 1:
            return
        import jax

        if self.number:
            self.get("done")
        else:
            self.put("done")
        jax.distributed.shutdown()
        _joined = ALONE


ALONE = Processes()
_joined = ALONE


def check(coordinator: str | None, count: int | None, number: int | None) -> None:
    """Refuse flags that do not fit each other, before any work.

    Args:
        coordinator: HOST:PORT of process 0; None to look for a cluster.
        count: of processes.
        number: of this one.

    Raises:
        InputError: something is missing, or out of range.

    Example:
        >>> check("10.0.0.1:1234", 2, None)
        Traceback (most recent call last):
        ccalign_jax.errors.InputError: coordinator needs processes and process as well
    """
    if coordinator is None:
        if number is not None or count not in (None, 1):
            raise InputError(
                "--processes and --process need --coordinator=HOST:PORT, where process 0 runs; "
                "a cluster's own numbers are found without (--processes=1 keeps this process alone)"
            )
        return
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise InputError(f"--coordinator={coordinator}: it must be HOST:PORT, where process 0 runs")
    if count is None or number is None:
        raise InputError("--coordinator needs --processes and --process as well")
    if count < 1:
        raise InputError(f"--processes={count}: it must be at least 1")
    if not 0 <= number < count:
        raise InputError(f"--process={number}: it must be from 0 to {count - 1}, for --processes={count}")


def join(
    coordinator: str | None = None, count: int | None = None, number: int | None = None, *, lost_after: int = 60
) -> Processes:
    """Join the other processes of the run, as given or as the cluster has it; alone where there is neither.

    Must come before anything is computed: jax then knows its devices. A loss ends every process with a line on stderr
    and the status `LOST`.

    Args:
        coordinator, count, number: as for `check`; all None to look for a cluster, `count=1` not to.
        lost_after: seconds without a heartbeat after which a process is lost, at least 1.

    Raises:
        InputError: as `check`, or jax cannot start here.

    Example:
        >>> join(count=1)
        Processes(count=1, number=0, store=None)
    """
    global _joined
    check(coordinator, count, number)
    if lost_after < 1:
        raise InputError(f"--lost_after={lost_after}: it must be at least 1 second")
    if count == 1 or (coordinator is None and not _in_a_cluster()):
        return ALONE
    import jax

    # SIGTERM would be swallowed; and gloo, which prints on stdout, is not needed: no fit spans processes.
    for option, value in (("jax_enable_preemption_service", False), ("jax_cpu_collectives_implementation", None)):
        if hasattr(jax.config, option):
            jax.config.update(option, value)
    _on_abort(_end_as_lost)
    by_hand: dict[str, Any] = {} if coordinator is None else {"cluster_detection_method": "deactivate"}
    try:
        jax.distributed.initialize(coordinator, count, number, heartbeat_timeout_seconds=lost_after, **by_hand)
        jax.local_devices()  # they meet once more here, so all at the same time
    except (RuntimeError, ValueError, OSError) as error:
        where = "the cluster that was found" if coordinator is None else f"--coordinator={coordinator}"
        first = str(error).partition("\n")[0]
        raise InputError(f"{where}: jax cannot start, {first}; --processes=1 runs this process alone") from error
    from jax._src.distributed import global_state  # the key-value store has no public name

    _joined = Processes(jax.process_count(), jax.process_index(), global_state.client)
    return _joined


def leave(status: int) -> None:
    """End this process now if it is one of several: jax would wait minutes for the others first."""
    if _joined.store is None:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    # The message is printed. The last process at the barrier may find process 0 gone, which jax would report at length.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _on_abort(lambda: os._exit(status))
    try:
        if _joined.number == 0:
            _joined.put("ended/0")
        # Processes that read the store end by themselves, with a message.
        _joined.store.wait_at_barrier("ccalign/left", FAREWELL)
    except Exception:
        pass  # the others compute, and are ended by jax
    finally:
        os._exit(status)


def _in_a_cluster() -> bool:
    """Whether a cluster that jax detects (Cloud TPU, GKE, SLURM, Open MPI) started several processes of this program.

    In Kubernetes only pods of indexed jobs have a number; asking for it anywhere else would fail.
    """
    from jax._src.clusters import ClusterEnv, K8sCluster

    indexed = "JOB_COMPLETION_INDEX" in os.environ
    for kind in ClusterEnv._cluster_types:
        if kind.opt_in_only_method or (kind is K8sCluster and not indexed):
            continue
        if kind.is_env_present():
            return kind.get_process_count() > 1
    return False


def _on_abort(end: Callable[[], object]) -> None:
    """Handle aborts from here on: where a process is lost, jax aborts in C++, past all Python."""
    _HANDLERS.append(ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: end()))
    # Not signal.signal: its handlers wait for the main thread to run Python again, which never comes.
    library = ctypes.CDLL(None)
    library.signal.argtypes, library.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    library.signal(signal.SIGABRT, ctypes.cast(_HANDLERS[-1], ctypes.c_void_p))


def _end_as_lost() -> None:
    os.write(2, LOST_WORDS.encode())
    os._exit(LOST)


_HANDLERS: list[Any] = []  # C holds no reference
