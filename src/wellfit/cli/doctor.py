"""`wellfit doctor`: the installed versions, and the engine and folders that wellfit would use."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from wellfit.base.files import home_folder
from wellfit.cli.options import ray_option
from wellfit.cli.session import Session
from wellfit.cli.stage import stage

if TYPE_CHECKING:
    from wellfit.base.typing import Json

_PACKAGES = (
    "torch",
    "numba",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "narwhals",
    "pydantic",
    "safetensors",
    "click",
    "rich",
)
_OPTIONAL = ("pandas", "polars", "optuna", "ray")


@stage(
    examples="\n  wellfit doctor\n  wellfit doctor --json\n"
    "  wellfit doctor --ray 10.0.0.7:6379     what is installed on each node of a cluster\n"
)
@ray_option
def doctor(*, session: Session, ray: str | None) -> None:
    """Show what is installed, which engine would be used, and whether experiments can be written here.

    With --ray, one small task looks at each node of the cluster, and what differs is named.
    """
    body = examine()
    if ray:
        body["ray"] = _cluster(ray)
        body["warnings"] += body["ray"]["differences"]
    session.result(body, text=_text(body))


def _cluster(address: str) -> Json:
    from wellfit.sweeps.ray_cluster import Cluster, Ray
    from wellfit.sweeps.ray_nodes import differences, examine_nodes, facts

    cluster = Cluster(Ray(address=address))
    try:
        nodes, slots = examine_nodes(cluster), cluster.slots
    finally:
        cluster.close()
    here = facts()
    return {"slots": slots, "here": here, "nodes": nodes, "differences": differences(nodes, here)}


def _node_line(node: Json) -> str:
    size = f"{node['cpus']:g} CPUs, {node['memory'] / 2**30:.1f} GiB, {node['gpus']:g} GPUs"
    if "error" in node:
        return f"  {node['node']:<15} {size}"
    versions = ", ".join(f"{name} {node[name] or '-'}" for name in ("wellfit", "python", "numpy", "numba", "torch"))
    return f"  {node['node']:<15} {size}; {versions}; {node['processor']}"


def examine() -> Json:
    """Return the facts of this machine: versions, cores, engine, folders, and warnings about them."""
    from wellfit.journal.store import file_system_of

    home, here = home_folder(), Path.cwd()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    body: Json = {
        "schema": 1,
        "wellfit": metadata.version("wellfit"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in (*_PACKAGES, *_OPTIONAL)},
        "cores": cores,
        "gpu": _gpu(),
        "engine": {"name": "fused stacks (numba)", "device": "cpu", "processes": cores, "threads_each": 1},
        "home": {"path": str(home), "writable": _writable(home), "file_system": file_system_of(home)},
        "here": {"path": str(here), "writable": _writable(here), "file_system": file_system_of(here)},
    }
    body["warnings"] = _warnings(body)
    return body


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _gpu() -> str | None:
    if _version("torch") is None:
        return None
    import torch  # the only way to find out; takes half a second

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _writable(folder: Path) -> bool:
    """Return True if a file can be made there; for a folder that does not exist, test the nearest parent."""
    nearest = next(place for place in (folder, *folder.resolve().parents) if place.is_dir())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return True
    except OSError:
        return False


def _warnings(body: Json) -> list[str]:
    from wellfit.journal.store import NETWORK_FILE_SYSTEMS

    found = [
        f"{name} is not installed; run pip install wellfit" for name in _PACKAGES if body["packages"][name] is None
    ]
    for place, use in (("home", "openings of test sets cannot be registered"), ("here", "pass an --out elsewhere")):
        about = body[place]
        if not about["writable"]:
            found.append(f"{about['path']} cannot be written: {use}")
        if about["file_system"] in NETWORK_FILE_SYSTEMS:
            found.append(f"{about['path']} is on a network file system ({about['file_system']}): {use}")
    return found


def _text(body: Json) -> str:
    engine = body["engine"]
    lines = [
        f"wellfit {body['wellfit']}, Python {body['python']}, {body['platform']}",
        f"executable: {sys.executable}",
        *(f"  {name:<13} {version or 'not installed'}" for name, version in body["packages"].items()),
        f"engine: {engine['name']} on {engine['device']}, "
        f"processes: {engine['processes']}, threads in each: {engine['threads_each']}; GPU: {body['gpu'] or 'none'}",
        *(
            f"{place}: {body[place]['path']} ({'writable' if body[place]['writable'] else 'NOT writable'})"
            for place in ("home", "here")
        ),
        *((f"cluster: {body['ray']['slots']} networks at a time",) if "ray" in body else ()),
        *(_node_line(node) for node in body.get("ray", {}).get("nodes", ())),
        *(f"warning: {warning}" for warning in body["warnings"]),
    ]
    return "\n".join(lines if body["warnings"] else [*lines, "All is well."])
