"""A Ray cluster: which one is meant, how it is joined, and how many trainings it has room for.

Nothing here imports Ray before a cluster is joined, because Ray is an extra and takes a second to import.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import math
import os
import platform
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, NoReturn

from wellfit.base.arguments import named_fields
from wellfit.base.typing import Notify, ignore_events
from wellfit.exceptions import BadInput, WellfitError

if TYPE_CHECKING:
    from ray.exceptions import RayTaskError

AUTO = "auto"
"""The address that stands for the cluster that runs on this machine."""
SECONDS_TO_ANSWER = 5.0
"""Time within which an address must accept a connection; with Ray's own tries below, a wrong one is told within 10 s.
"""
ATTEMPTS = 3
"""Number of times that work is given out before its loss is an error."""
TELL_SECONDS = 10.0
"""Time without a free CPU after which the user is told what is waited for."""
LEAST = 1e-4
"""The smallest share of a CPU or GPU that Ray counts."""
_AMOUNTS = {
    "cpus": "a number above 0, at least 0.0001",
    "gpus": "0, a share of a GPU from 0.0001 to 1, or a whole number",
    "local": "a whole number, at least 1",
}
_ENVIRONMENT = {
    "RAY_NUM_REDIS_GET_RETRIES": "3",  # of a second or so each, in place of 20
    "RAY_USAGE_STATS_ENABLED": "0",
}
# What both sides of HTTP/2, and so of gRPC, which Ray speaks, send first (RFC 9113, 3.4).
_HTTP2_SETTINGS = b"\0\0\0\4\0\0\0\0\0"
_HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _HTTP2_SETTINGS
_HOST_AND_PORT = re.compile(r"(?P<host>[^\s:/]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")
_HOW_TO_BE_KNOWN = (
    "Ray refuses a driver without the cluster's token: copy it from the head node and set RAY_AUTH_TOKEN, or "
    "RAY_AUTH_TOKEN_PATH to its file"
)


@named_fields
@dataclass(frozen=True, kw_only=True)
class Ray:
    """A Ray cluster to train on, joined when training begins: `executor=wf.Ray()`.

    If the program has called `ray.init`, that connection is used and left open; otherwise the cluster at `address`,
    or at RAY_ADDRESS, or the one that runs on this machine. No cluster is started unless `local` asks for one.

    Attributes:
        address: HOST:PORT of the cluster's head node; None finds it as described above.
        cpus: CPUs that one training reserves; a training uses one thread whatever it reserves.
        gpus: GPUs, or share of one, that one training reserves.
        local: number of CPUs of a cluster that is started on this machine for this call and shut down after it, for
            trying it out; the worker processes that are used without Ray are faster on one machine.

    Raises:
        BadInput: a value cannot be used.
    """

    address: str | None = None
    cpus: float = 1
    gpus: float = 0
    local: int | None = None

    def __post_init__(self) -> None:
        is_right = {
            "cpus": _is_number(self.cpus) and self.cpus >= LEAST,
            "gpus": _is_number(self.gpus) and (self.gpus == 0 or LEAST <= self.gpus <= 1 or _is_whole(self.gpus)),
            "local": self.local is None or _is_whole(self.local),
        }
        for name, rule in _AMOUNTS.items():
            if not is_right[name]:
                raise BadInput(
                    f"{name} of Ray must be {rule}",
                    found=f"{name}={getattr(self, name)!r}",
                    remedy="Correct it, or leave it out",
                )
        if self.address is not None:
            _require_address(self.address)
            if self.local is not None:
                raise BadInput(
                    "a cluster must be joined or started, not both",
                    found=f"address={self.address!r} with local={self.local}",
                    remedy="Remove one of them",
                )

    def require(self) -> None:
        """Refuse what is wrong at once, before data are read: Ray is not installed, or nobody answers.

        Raises:
            BadInput: as described.
        """
        if importlib.util.find_spec("ray") is None:
            raise BadInput(
                "training on a cluster needs Ray",
                found="no package ray",
                remedy="Install it with: pip install 'wellfit[ray]'",
            )
        if self.local is None and not ("ray" in sys.modules and _ray().is_initialized()):
            is_given = self.address is not None and self.address != AUTO
            _require_answer(self.where, is_from_environment=not is_given and "RAY_ADDRESS" in os.environ)

    @property
    def where(self) -> str:
        """The address to join, if the program is not connected yet."""
        given = None if self.address == AUTO else self.address
        return given or os.environ.get("RAY_ADDRESS") or AUTO

    def join(self, *, notify: Notify = ignore_events) -> Cluster:
        """Join the cluster and wait for its first worker.

        Raises:
            BadInput: Ray is not installed, the cluster does not answer, or its nodes cannot do the work.
        """
        cluster = Cluster(self)
        try:
            cluster.wait_for_worker(notify=notify)
        except BaseException:
            cluster.close()
            raise
        return cluster


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and value >= 1 and value == int(value)


def _require_address(address: str, *, is_from_environment: bool = False) -> None:
    found, remedy = repr(address), ""
    if is_from_environment:
        found, remedy = f"{found} in RAY_ADDRESS", "Unset RAY_ADDRESS, or pass --ray HOST:PORT. "
    if address.startswith("ray://"):
        raise BadInput(
            "the program that trains must run inside the cluster's network",
            found=found,
            remedy=remedy
            + "Pass HOST:PORT of the head node (port 6379), or send the command there with `ray job submit`",
        )
    if address != AUTO and not _HOST_AND_PORT.fullmatch(address):
        raise BadInput(
            "the address of a Ray cluster must be HOST:PORT",
            found=found,
            remedy=f"{remedy}Pass for example 10.0.0.7:6379, or nothing for the cluster of this machine (then as the "
            "last option, or as --ray=auto)",
        )


class Cluster:
    """A joined cluster; `close` leaves it if this object joined it, and ends it if this object started it."""

    def __init__(self, asked: Ray) -> None:
        asked.require()
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        ray = _ray()
        self.asked = asked
        self._ours = not ray.is_initialized()
        if self._ours:
            with _signals_kept():
                _join(asked)

    @property
    def slots(self) -> int:
        """Number of trainings that can run at the same time on the nodes that are there now."""
        return sum(self.slots_by_node)

    @property
    def slots_by_node(self) -> tuple[int, ...]:
        """Number of trainings that each node has room for when nothing else runs there."""
        return tuple(self._slots_of(node["Resources"]) for node in self.nodes)

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """The nodes that are alive, as `ray.nodes` describes them."""
        return [node for node in _ray().nodes() if node["Alive"]]

    @property
    def cpus(self) -> tuple[float, float]:
        """The CPUs that are free now, and all of them."""
        return _ray().available_resources().get("CPU", 0.0), _ray().cluster_resources().get("CPU", 0.0)

    @property
    def is_scaled(self) -> bool:
        """Whether something adds nodes when work waits for them."""
        from ray.experimental.internal_kv import _internal_kv_get

        status = json.loads(_internal_kv_get(b"__autoscaling_status") or b"{}")
        kinds = status.get("autoscaler_report", {}).get("active_nodes") or {}
        # A monitor that may not add nodes gives each a kind of its own.
        is_scaled = any(not kind.startswith("node_") for kind in kinds)
        return is_scaled or bool(_internal_kv_get(b"__autoscaler_v2_enabled"))

    def require_kind(self) -> None:
        """Refuse a request that no node can ever serve."""
        if self.slots or self.is_scaled:
            return
        wanted = f"{self.asked.cpus:g} CPUs" + (f" and {self.asked.gpus:g} GPUs" if self.asked.gpus else "")
        most = max((node["Resources"].get("CPU", 0.0) for node in self.nodes), default=0.0)
        gpus = max((node["Resources"].get("GPU", 0.0) for node in self.nodes), default=0.0)
        raise BadInput(
            f"a node of the cluster must have the {wanted} that one training reserves",
            found=f"at most {most:g} CPUs and {gpus:g} GPUs on a node, and nothing that adds nodes",
            remedy="Reserve less (cpus=, gpus=), or add such a node",
        )

    def wait_for_worker(self, *, notify: Notify = ignore_events) -> None:
        """Wait until a worker of the cluster has imported wellfit, and tell what is waited for meanwhile.

        Raises:
            BadInput: no node has what a training reserves, or the worker has another wellfit or Python.
        """
        ray = _ray()
        self.require_kind()
        look = ray.remote(max_retries=0)(warm_up).options(num_cpus=self.asked.cpus, num_gpus=self.asked.gpus)
        # One for each slot: the others import while the first one works, and not within somebody's deadline.
        looking = [look.remote(versions()) for _ in range(max(self.slots, 1))]
        for lost in range(1, ATTEMPTS + 1):
            while not (ready := ray.wait(looking, timeout=TELL_SECONDS)[0]):
                free, every = self.cpus
                if free < self.asked.cpus:
                    notify({"event": "waiting", "free": free, "of": every})
            try:
                ray.get(ready[0])
            except ray.exceptions.RayTaskError as error:
                raise_cause(error)
            except ray.exceptions.RayError as error:
                if lost == ATTEMPTS:
                    raise _lost(error) from error
                looking = [each for each in looking if each != ready[0]] or [look.remote(versions())]
            else:
                return

    def close(self) -> None:
        """Leave the cluster, unless the program was connected to it before."""
        ray = _ray()
        if self._ours and ray.is_initialized():
            with _signals_kept():
                ray.shutdown()

    def _slots_of(self, resources: Mapping[str, float]) -> int:
        # A share of a GPU does not add up exactly: three thirds are one.
        room = resources.get("CPU", 0.0) / self.asked.cpus
        if self.asked.gpus:
            room = min(room, resources.get("GPU", 0.0) / self.asked.gpus)
        return int(room + 1e-6)


@contextlib.contextmanager
def joined(asked: Ray | None, *, notify: Notify = ignore_events) -> Iterator[Cluster | None]:
    """Join the cluster that is asked for, if one is, and leave it at the end."""
    cluster = None if asked is None else asked.join(notify=notify)
    try:
        yield cluster
    finally:
        if cluster is not None:
            cluster.close()


def versions() -> dict[str, str]:
    """Return the versions that must be the same on all nodes."""
    return {"wellfit": metadata.version("wellfit"), "Python": platform.python_version()}


def require_versions(expected: Mapping[str, str]) -> None:
    """Refuse, in a worker, to stand in for another wellfit or Python."""
    here = versions()
    for name, version in expected.items():
        if here[name] != version:
            raise BadInput(
                f"every node must have the {name} of the program that uses it",
                found=f"{name} {here[name]} on {socket.gethostname()}, {version} in the program",
                remedy="Install the same version on both",
            )


def warm_up(expected: Mapping[str, str]) -> None:
    """Import, in a worker, what training needs, which takes seconds."""
    require_versions(expected)
    importlib.import_module("wellfit.fused.engine")


def raise_cause(error: RayTaskError) -> NoReturn:
    """Raise what a task raised, in words if it is about what is installed on its node."""
    cause = error.cause
    if isinstance(cause, WellfitError):
        raise cause
    if isinstance(cause, ImportError) or "failed to import" in str(cause):
        raise BadInput(
            "every node must have wellfit and what it stands on",
            found=" ".join(str(cause).split())[:300],
            remedy="Install the same packages on every node (`wellfit doctor --ray` compares them)",
        ) from error
    raise RuntimeError(f"a task failed on {error.ip} (process {error.pid}):\n{error.traceback_str}") from error


def _ray() -> Any:
    return importlib.import_module("ray")


_QUIETLY: Mapping[str, Any] = {"log_to_driver": False, "logging_level": "error"}


def _join(asked: Ray) -> None:
    ray = _ray()
    if asked.local:
        ray.init(address="local", num_cpus=int(asked.local), include_dashboard=False, **_QUIETLY)
        return
    address = asked.where
    try:
        ray.init(address=address, namespace="wellfit", **_QUIETLY)
    except ray.exceptions.AuthenticationError as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise BadInput(
            "the cluster must know this driver", found=f"{address}: {said}", remedy=_HOW_TO_BE_KNOWN
        ) from error
    except ConnectionError as error:
        raise _no_answer(address) from error
    except RuntimeError as error:
        if "No node info found" in str(error):
            raise BadInput(
                "this machine must be a node of the cluster",
                found=f"no node on this machine in the cluster at {address}",
                remedy=f"Run `ray start --address {address}` here, or send the command there with `ray job submit`",
            ) from error
        if "ersion mismatch" not in str(error):
            raise
        raise BadInput(
            "the cluster must have the Python and the Ray of this program",
            found=f"{address}: {' '.join(str(error).split())[:300]}",
            remedy="Install the same versions here and there (`wellfit doctor` shows those here)",
        ) from error


def _require_answer(address: str, *, is_from_environment: bool) -> None:
    """Refuse an address where no Ray can be: Ray itself would try it for minutes."""
    _require_address(address, is_from_environment=is_from_environment)
    found = _HOST_AND_PORT.fullmatch(address)
    if found is None:
        return
    try:
        with socket.create_connection((found["host"].strip("[]"), int(found["port"])), SECONDS_TO_ANSWER) as one:
            if os.environ.get("RAY_USE_TLS", "0") == "1":
                return
            one.sendall(_HTTP2_HELLO)
            answer = one.recv(len(_HTTP2_SETTINGS))
    except (OSError, OverflowError, UnicodeError) as error:  # the last for a name with an empty part
        raise _no_answer(address) from error
    if answer[3:4] != _HTTP2_SETTINGS[3:4]:
        raise _no_answer(address)


def _lost(error: Exception) -> WellfitError:
    return WellfitError(
        "a worker must live while it imports wellfit",
        found=f"{type(error).__name__}, {ATTEMPTS} times",
        remedy="Look into the cluster's logs, and whether its nodes have a GiB of memory for each training (cpus=)",
    )


def _no_answer(address: str) -> BadInput:
    if address == AUTO:
        return BadInput(
            "a Ray cluster must be running",
            found="none on this machine, no address, and no RAY_ADDRESS",
            remedy="Pass its address (HOST:PORT), start one with `ray start --head`, or leave Ray out to train on the "
            "cores of this machine",
        )
    return BadInput(
        "a Ray cluster must answer at its address",
        found=f"no answer from {address}",
        remedy="Check host and port (6379 unless `ray start` said otherwise), and that no firewall is between",
    )


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Give SIGTERM back to whoever handled it: Ray takes it when it connects."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
