"""What is installed on the nodes of a Ray cluster, and what it means where they differ."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from wellfit.base.typing import Json
from wellfit.exceptions import WellfitError
from wellfit.sweeps.ray_cluster import Cluster, raise_cause

SECONDS_A_NODE = 60.0
"""Time in which a node must start a worker that imports wellfit."""
_PACKAGES = ("wellfit", "numpy", "numba", "torch")
_REFUSED = "training there is refused: install the same version everywhere"
_BITS = "outcomes may differ in their last bits"
_MEANING = {"wellfit": _REFUSED, "python": _REFUSED, "numpy": _BITS, "numba": _BITS, "torch": _BITS, "processor": _BITS}


def facts() -> dict[str, str | None]:
    """Return the versions and the processor of the machine that runs this."""
    return {
        "wellfit": _version("wellfit"),
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES[1:]},
        "processor": _processor(),
    }


def examine_nodes(cluster: Cluster) -> list[Json]:
    """Run one small task on each node, and return what each said; "error" is there where one could not say it."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(max_retries=0, num_cpus=0)(facts)
    asked = {}
    for node in cluster.nodes:
        place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked[ask.options(scheduling_strategy=place).remote()] = node
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=SECONDS_A_NODE)
    return [
        {**_described(node), **(_answer(reference) if reference in ready else {"error": "no answer"})}
        for reference, node in asked.items()
    ]


def differences(nodes: Sequence[Mapping[str, Any]], here: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each fact in which nodes differ from this program, and what that does."""
    found = [f"{node['node']}: {node['error']}" for node in nodes if "error" in node]
    for name, meaning in _MEANING.items():
        others: dict[str, list[str]] = {}
        for node in nodes:
            if "error" not in node and node[name] != here[name]:
                others.setdefault(str(node[name] or "not installed"), []).append(node["node"])
        found += [
            f"{name} is {value} on {', '.join(places)}, and {here[name]} here: {meaning}"
            for value, places in others.items()
        ]
    return found


def _described(node: Mapping[str, Any]) -> Json:
    resources = node["Resources"]
    return {
        "node": node["NodeManagerAddress"],
        "cpus": resources.get("CPU", 0.0),
        "memory": int(resources.get("memory", 0)),
        "gpus": resources.get("GPU", 0.0),
    }


def _answer(reference: Any) -> Json:
    import ray

    try:
        answer: Json = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        try:
            raise_cause(error)
        except WellfitError as refused:
            return {"error": str(refused)}
    except ray.exceptions.RayError as error:
        return {"error": f"its task was lost ({type(error).__name__})"}
    return answer


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the processor's own name; `platform` does not know it on Linux."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8").splitlines() if described.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
