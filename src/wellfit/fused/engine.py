"""Train configs in stacks: which configs fuse, in how many passes, and on which engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from threadpoolctl import threadpool_limits

from wellfit.data.prepare import Prepared
from wellfit.data.training_rows import trained_on
from wellfit.exceptions import BadInput
from wellfit.fused.compiled_stack import COMPILING, CompiledStack, is_ready
from wellfit.fused.layout import Layout, layout_of
from wellfit.fused.memory import MemoryPlan, plan_memory
from wellfit.fused.module_rows import module_layout
from wellfit.fused.race import Judge, Race
from wellfit.fused.stack import Stack
from wellfit.fused.torch_mlp import TorchMLP
from wellfit.fused.torch_module import TorchModule
from wellfit.fused.torch_stack import TorchStack
from wellfit.records.config import CPU, Config, Device
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome
from wellfit.training.module import ModuleNetwork, module_network
from wellfit.training.module_checks import ModuleFactory, require_last_batch, site_keep_probs
from wellfit.training.pictures import require_pictures
from wellfit.training.tensors import conv_network, one_thread, require_labels


def stacks_of(configs: Sequence[Config]) -> list[list[Config]]:
    """Return the configs grouped by what must be equal: network, optimizer, batch size, epochs, rows and seed."""
    found: dict[tuple[Any, ...], list[Config]] = {}
    for config in configs:
        knobs = config.optimization
        kind = (config.network, knobs.optimizer, knobs.batch_size, knobs.epochs, config.data, config.seed)
        found.setdefault(kind, []).append(config)
    return list(found.values())


def fit_stack(
    data: Prepared,
    configs: Sequence[Config],
    *,
    goal: Goal,
    on_outcome: Callable[[Outcome], None],
    deadline: float | None = None,
    judge: Judge | None = None,
    memory: int | None = None,
    module: ModuleFactory | None = None,
    effects: bool = True,
    device: Device | None = None,
) -> str:
    """Train configs of one stack (see `stacks_of`), and measure each on every part.

    A member that diverges, stops early or is dropped leaves the stack; the others are unaffected. `on_outcome` receives
    each outcome as its member ends, and before that a snapshot of the member at each rung (`rung_updates`) that it
    passes; there, `judge` decides which members continue. Members that the `deadline`, a `time.monotonic()`, cuts short
    are "out of budget". The members may take `memory` bytes, and are trained in several passes if that is too few for
    all. `module` makes the network instead of the built-in one. The calling core or `device` trains it; if a deadline
    is too near to compile the loops of this machine's cores before it, torch trains on them.

    Returns:
        The reason why the members of a user's module ran one after another; empty if they ran together.

    Raises:
        BadInput: as in `require_trainable`, before any training.
    """
    notice, data = "", trained_on(data, configs[0].data)
    device = device or _while_not_compiled(configs[0], module=module, deadline=deadline)
    # Numba's products are those of scipy's BLAS, which has threads of its own.
    with one_thread(), threadpool_limits(1, user_api="blas"):
        network, plan = _planned(data, configs, memory=memory, module=module, device=device)
        for start in range(0, len(configs), plan.members):
            if deadline is not None and time.monotonic() >= deadline:
                break
            stack = _stack_of(data, configs[start : start + plan.members], network=network, device=device)
            notice = stack.notice if module is not None else ""
            Race(data, stack, goal=goal, deadline=deadline, judge=judge, effects=effects).run(on_outcome)
    return notice


def _while_not_compiled(config: Config, *, module: ModuleFactory | None, deadline: float | None) -> Device | None:
    """Return the cores as a device, for torch, if compiling would take longer than there is until the deadline."""
    built_in = module is None and config.network.kind == "mlp"
    if deadline is None or not built_in or deadline - time.monotonic() >= COMPILING or is_ready():
        return None
    return Device(CPU)


def require_trainable(
    data: Prepared,
    stacks: Sequence[Sequence[Config]],
    *,
    memory: int | None = None,
    module: ModuleFactory | None = None,
    device: Device | None = None,
) -> int:
    """Refuse impossible stacks (see `stacks_of`) before any training; return the fewest bytes that fit each of them.

    If nothing limits the bytes, return 0 without computing them.

    Raises:
        BadInput: the data or the module do not allow a config, or the memory is too small for one member.
    """
    for configs in stacks:
        _require_allowed(data, configs, module=module, device=device)
    if memory is None and module is None and device is None:
        return 0
    plans = (
        _planned(trained_on(data, each[0].data), each, memory=memory, module=module, device=device)[1]
        for each in stacks
    )
    return max((plan.least for plan in plans), default=0)


def _require_allowed(
    data: Prepared, configs: Sequence[Config], *, module: ModuleFactory | None, device: Device | None
) -> None:
    if device is not None and (module is not None or configs[0].network.kind != "mlp"):
        raise BadInput(
            "a device can train only the built-in network for tables",
            found="your own module" if module is not None else "a network for pictures",
            remedy="Remove the device",
        )
    for config in configs:
        require_labels(config.regularization, task=data.preparation.schema.task)
        require_pictures(config, data.preparation.schema)
    if module is not None and (data.train.weights is not None or data.preparation.targets > 1):
        raise BadInput(
            "your own module must predict one target, and every row must count once",
            found="row weights" if data.train.weights is not None else f"{data.preparation.targets} targets",
            remedy="Use the built-in network, or remove them",
        )


def _planned(
    data: Prepared,
    configs: Sequence[Config],
    *,
    memory: int | None,
    module: ModuleFactory | None,
    device: Device | None,
) -> tuple[Layout | ModuleNetwork, MemoryPlan]:
    """Return the network from which all members start, and the plan of the passes in which they are trained."""
    _require_allowed(data, configs, module=module, device=device)
    network = _network_of(data, configs, module)
    return network, plan_memory(data, configs, network=network, device=device, limit=memory)


def _network_of(data: Prepared, configs: Sequence[Config], module: ModuleFactory | None) -> Layout | ModuleNetwork:
    first = configs[0]
    if module is None and first.network.kind == "mlp":
        return layout_of(data, first)
    if module is None:
        network = conv_network(data.preparation, first.network, seed=first.seed)
    else:
        network = module_network(data.preparation, module, seed=first.seed)
    for config in configs:
        site_keep_probs(config, sites=len(network.findings.sites))
    size = first.optimization.batch_size
    require_last_batch(network.module, inputs=network.inputs, rows=data.train.rows % size or size)
    return network


def _stack_of(
    data: Prepared, configs: Sequence[Config], *, network: Layout | ModuleNetwork, device: Device | None
) -> Stack:
    if isinstance(network, ModuleNetwork):
        return TorchStack(data, configs, network=TorchModule(module_layout(data, configs[0], network=network)))
    if device is None:
        return CompiledStack(data, configs, layout=network)
    return TorchStack(data, configs, network=TorchMLP(network, device), device=device)
