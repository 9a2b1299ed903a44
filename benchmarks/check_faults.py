"""What is planted for check_cases.py: faults of the nine groups, in several kinds of networks each."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from check_networks import (
    CLASSES,
    Around,
    Attending,
    Block,
    Problem,
    Recurrent,
)

Spoil = Callable[[Problem], Problem]


@dataclass(frozen=True)
class Fault:
    """One fault: the codes that name it (the first that fires must be one of them), and the kinds it is planted in."""

    name: str
    names: str
    spoil: Spoil
    planted: str

    @property
    def codes(self) -> list[str]:
        """Codes that name it."""
        return self.names.split()

    @property
    def kinds(self) -> list[str]:
        """Kinds of networks that it is planted in."""
        return self.planted.split()


def first_layer(network: nn.Module) -> Any:
    """The first layer with weights that can be scaled."""
    layers = (nn.Linear, nn.Conv2d, nn.Conv1d)
    return next(one for one in network.modules() if isinstance(one, layers))


def last_layer(network: nn.Module) -> Any:
    """The last linear layer."""
    return [one for one in network.modules() if isinstance(one, nn.Linear)][-1]


def around(before: Callable[[Tensor], Tensor] | None = None, after: Callable[[Tensor], Tensor] | None = None) -> Spoil:
    """Put something before and after the network."""
    return lambda problem: replace(problem, network=Around(problem.network, before, after))


def with_loss(loss: Callable[[Tensor, Tensor], Tensor], after: Callable[[Tensor], Tensor] | None = None) -> Spoil:
    """Give another loss, and perhaps something after the network."""
    return lambda problem: replace(problem, network=Around(problem.network, None, after), loss=loss)


def edited(change: Callable[[nn.Module], object]) -> Spoil:
    """Change the network in place."""

    def spoil(problem: Problem) -> Problem:
        with torch.no_grad():
            change(problem.network)
        return problem

    return spoil


def optimized(make: Callable[[nn.Module], torch.optim.Optimizer]) -> Spoil:
    """Give an optimizer."""
    return lambda problem: replace(problem, optimizer=make(problem.network))


def binary(problem: Problem, loss: nn.Module, after: Callable[[Tensor], Tensor]) -> Problem:
    """Two classes, one output."""
    target = (problem.target >= CLASSES // 2).float()
    network = Around(problem.network, None, lambda outputs: after(outputs[:, 0]))
    return replace(problem, network=network, target=target, loss=loss)


def numbers(problem: Problem, target: Tensor | None = None, after: Callable[[Tensor], Tensor] | None = None) -> Problem:
    """One output [rows, 1] for real numbers, by squared error."""
    values = (problem.target.float() - 1.5) / 1.12 + 0.1 * torch.randn(len(problem.target))
    shown = after or (lambda outputs: outputs)
    network = Around(problem.network, None, lambda outputs: shown(outputs[:, :1]))
    return replace(
        problem, network=network, target=(values if target is None else target).unsqueeze(1), loss=nn.MSELoss()
    )


def broadcast(problem: Problem) -> Problem:
    """Outputs [rows, 1] against targets [rows]."""
    made = numbers(problem)
    return replace(made, target=made.target.squeeze(1))


def unused(problem: Problem) -> Problem:
    """A layer that forward does not use."""
    made = around()(problem)
    made.network.extra = nn.Linear(16, 16)
    return made


def detached(problem: Problem) -> Problem:
    """What the first layer gives is detached."""
    first_layer(problem.network).register_forward_hook(lambda _layer, _given, outputs: outputs.detach())
    return problem


def frozen(problem: Problem) -> Problem:
    """The first layer was frozen, and the optimizer has it all the same."""
    for value in first_layer(problem.network).parameters():
        value.requires_grad_(False)
    return optimized(lambda network: torch.optim.SGD(network.parameters(), lr=0.1))(problem)


def half_optimized(problem: Problem) -> Problem:
    """The optimizer knows the last layer only."""
    return optimized(lambda network: torch.optim.Adam(last_layer(network).parameters()))(problem)


def same_layers(problem: Problem) -> Problem:
    """One block three times in a list."""
    rows = problem.rows
    if rows.dim() == 4:
        block = Block(16)
        network: nn.Module = nn.Sequential(
            nn.Conv2d(3, 16, 3), nn.ReLU(), *[block] * 3, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, CLASSES)
        )
    elif rows.dim() == 3:
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        network = Attending(nn.Linear(6, 32), 10)
        network.encoder = nn.Sequential(*[layer] * 3)
    else:
        network = nn.Sequential(
            nn.Linear(12, 32), nn.ReLU(), *[nn.Linear(32, 32), nn.ReLU()] * 3, nn.Linear(32, CLASSES)
        )
    return replace(problem, network=network)


def wrong_batch_axis(problem: Problem) -> Problem:
    """A recurrent layer that takes the rows for steps."""
    kind = nn.LSTM if isinstance(problem.network.layer, nn.LSTM) else nn.GRU
    return replace(problem, network=Recurrent(kind(6, 32)))


def always_dropping(problem: Problem) -> Problem:
    """functional.dropout without its switch."""
    return around(None, lambda outputs: functional.dropout(outputs, 0.2))(problem)


def never_dropping(problem: Problem) -> Problem:
    """Dropout whose layer stays in evaluation."""

    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.keep_prob = problem.network, 0.8

        def forward(self, rows: Tensor) -> Tensor:
            outputs: Tensor = self.network(rows)
            return functional.dropout(outputs, 1 - self.keep_prob, training=False)

    return replace(problem, network=Idle())


def discarded_dropout(problem: Problem) -> Problem:
    """Dropout whose result nobody uses."""

    class Discarding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.drop = problem.network, nn.Dropout(0.5)

        def forward(self, rows: Tensor) -> Tensor:
            outputs: Tensor = self.network(rows)
            self.drop(outputs)
            return outputs

    return replace(problem, network=Discarding())


def of_one_layer(problem: Problem) -> Problem:
    """Dropout between the layers of a recurrent network that has one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says so too, once
        layer = nn.GRU(6, 32, batch_first=True, dropout=0.5)
    return replace(problem, network=Recurrent(layer))


def own_eval(problem: Problem) -> Problem:
    """A train() of the author's own that forgets its argument."""

    class Stuck(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.drop = problem.network, nn.Dropout(0.5)

        def train(self, mode: bool = True) -> Stuck:
            return super().train(bool(mode) or True)

        def forward(self, rows: Tensor) -> Tensor:
            outputs: Tensor = self.drop(self.network(rows))
            return outputs

    return replace(problem, network=Stuck())


def doubled_hook(problem: Problem) -> Problem:
    """A hook that doubles the gradient of one tensor (dW2 * 2)."""
    last_layer(problem.network).weight.register_hook(lambda gradient: 2 * gradient)
    return problem


def planted_bias(problem: Problem) -> Problem:
    """db1 * 4 / m, as in the assignment."""
    first_layer(problem.network).bias.register_hook(lambda gradient: gradient * 4)
    return problem


class WrongSquare(torch.autograd.Function):
    """x^2, whose backward forgets the 2."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """Return x^2."""
        ctx.save_for_backward(values)
        return values * values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Return x, and not 2 x."""
        (values,) = ctx.saved_tensors
        return gradient * values


class WrongSoftplus(torch.autograd.Function):
    """Softplus, whose backward takes its outputs for its inputs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """Return log(1 + e^x)."""
        found = functional.softplus(values)
        ctx.save_for_backward(found)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Return the sigmoid of the wrong thing."""
        (found,) = ctx.saved_tensors
        return gradient * torch.sigmoid(found)


def wrong_loss(outputs: Tensor, target: Tensor) -> Tensor:
    """Squared error of probabilities by an autograd function that is wrong."""
    known = functional.one_hot(target, CLASSES).to(outputs.dtype)
    return WrongSquare.apply(outputs.softmax(1) - known).mean()  # type: ignore[no-any-return,no-untyped-call]


def one_way_detached(problem: Problem) -> Problem:
    """A residual whose second way is detached."""

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.mix = problem.network, nn.Linear(CLASSES, CLASSES)

        def forward(self, rows: Tensor) -> Tensor:
            outputs: Tensor = self.network(rows)
            return outputs + torch.tanh(self.mix(outputs)) * outputs.detach()

    return replace(problem, network=Half())


def lost_penalty(problem: Problem) -> Problem:
    """L2 of detached weights."""
    network = problem.network

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(outputs, target) + 1e-3 * sum(
            value.detach().pow(2).sum() for value in network.parameters()
        )

    return replace(problem, loss=loss)


def weights_of(network: nn.Module) -> list[nn.Parameter]:
    """Weights without biases, norms and embeddings."""
    from wellfit.training.module_checks import decay_list

    named = dict(network.named_parameters())
    return [named[entry.name] for entry in decay_list(network) if entry.decayed]


def penalized(network: nn.Module, values: Sequence[nn.Parameter]) -> Callable[[Tensor, Tensor], Tensor]:
    """Cross-entropy with L2 on some parameters."""

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        return (
            functional.cross_entropy(outputs, target)
            + 1e-3 * torch.stack([value.pow(2).sum() for value in values]).sum()
        )

    assert isinstance(network, nn.Module)
    return loss


def counted_twice(problem: Problem) -> Problem:
    """L2 in the loss, and weight_decay beside it."""
    network, weights = problem.network, weights_of(problem.network)
    others = [value for value in network.parameters() if all(value is not one for one in weights)]
    groups = [{"params": weights, "weight_decay": 1e-3}, {"params": others}]
    return replace(problem, loss=penalized(network, weights), optimizer=torch.optim.SGD(groups, lr=0.05))


def penalty_on_all(problem: Problem) -> Problem:
    """L2 of all parameters."""
    return replace(problem, loss=penalized(problem.network, list(problem.network.parameters())))


def zeros(network: nn.Module) -> None:
    """Every weight and bias 0."""
    for one in network.modules():
        if isinstance(one, nn.Linear | nn.Conv2d | nn.Conv1d):
            one.weight.zero_()
            one.bias.zero_() if one.bias is not None else None


def constants(network: nn.Module) -> None:
    """Every weight the same."""
    for one in network.modules():
        if isinstance(one, nn.Linear | nn.Conv2d | nn.Conv1d):
            one.weight.fill_(0.05)
            one.bias.zero_() if one.bias is not None else None


def sigmoid_tower(problem: Problem) -> Problem:
    """Twelve layers of sigmoid units."""
    inputs = problem.rows[0].numel()
    hidden = [nn.Sequential(nn.Linear(32, 32), nn.Sigmoid()) for _ in range(11)]
    network = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 32), nn.Sigmoid(), *hidden, nn.Linear(32, CLASSES))
    return replace(problem, network=network)


def tower(gain: float, activation: Callable[[], nn.Module], layers: int = 8) -> Spoil:
    """Many layers whose weights are scaled wrongly; convolutions for pictures."""

    def spoil(problem: Problem) -> Problem:
        if problem.rows.dim() == 4:
            hidden: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1), activation()]
            for _ in range(layers - 2):
                hidden += [nn.Conv2d(16, 16, 3, padding=1), activation()]
            network = nn.Sequential(*hidden, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, CLASSES))
        else:
            hidden = [nn.Flatten(), nn.Linear(problem.rows[0].numel(), 40), activation()]
            for _ in range(layers - 2):
                hidden += [nn.Linear(40, 40), activation()]
            network = nn.Sequential(*hidden, nn.Linear(40, CLASSES))
        for one in network.modules():
            if isinstance(one, nn.Linear | nn.Conv2d):
                nn.init.normal_(one.weight, std=gain / one.weight[0].numel() ** 0.5)
                nn.init.zeros_(one.bias)
        return replace(problem, network=network)

    return spoil


def dead(network: nn.Module) -> None:
    """Biases so low that no ReLU opens."""
    first_layer(network).bias.fill_(-30.0)


def dead_inside(network: nn.Module) -> None:
    """The same, in the hidden layers of a transformer."""
    for one in network.modules():
        if isinstance(one, nn.TransformerEncoderLayer):
            one.linear1.bias.fill_(-30.0)


def saturated(problem: Problem) -> Problem:
    """Tanh units far beyond their limits."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(problem.rows[0].numel(), 40), nn.Tanh(), nn.Linear(40, CLASSES))
    nn.init.normal_(network[1].weight, std=500.0)
    return replace(problem, network=network)


def rows_changed(change: Callable[[Tensor], Tensor]) -> Spoil:
    """Give other rows."""
    return lambda problem: replace(problem, rows=change(problem.rows))


def by_variance(rows: Tensor) -> Tensor:
    """Columns of different spread, divided by their variance."""
    shape = rows.shape
    spread = torch.logspace(-1, 1, shape[-1])
    raw = rows.reshape(-1, shape[-1]) * spread
    return ((raw - raw.mean(0)) / raw.var(0)).reshape(shape)


def dev_by_itself(problem: Problem) -> Problem:
    """Dev rows scaled by their own mean and standard deviation."""
    dev = problem.rows[:80] * 1.3 + 0.4
    flat = dev.transpose(1, -1).flatten(0, -2) if dev.dim() == 4 else dev.flatten(0, -2)
    mean, spread = flat.mean(0), flat.std(0, correction=0)
    if dev.dim() == 4:
        mean, spread = mean.reshape(1, -1, 1, 1), spread.reshape(1, -1, 1, 1)
    return replace(problem, dev=((dev - mean) / spread, problem.target[:80]))


FAULTS: tuple[Fault, ...] = (
    Fault("outputs-x-60", "WF501", around(None, lambda outputs: 60 * outputs), "mlp gru vit mixer"),
    Fault(
        "raw-target", "WF501", lambda problem: numbers(problem, 300 + 40 * problem.target.float()), "cnn mlp deep lstm"
    ),
    Fault("softmax-twice", "WF502", around(None, lambda outputs: outputs.softmax(1)), "mlp transformer vit deep"),
    Fault("nll-of-logits", "WF502", with_loss(nn.NLLLoss()), "cnn bag conv1d lstm"),
    Fault("nll-of-softmax", "WF502", with_loss(nn.NLLLoss(), lambda outputs: outputs.softmax(1)), "gru mixer"),
    Fault("bce-of-logits", "WF502", lambda problem: binary(problem, nn.BCELoss(), lambda x: x), "mlp wide"),
    Fault(
        "sigmoid-twice",
        "WF502",
        lambda problem: binary(problem, nn.BCEWithLogitsLoss(), torch.sigmoid),
        "resnet gru deep vit",
    ),
    Fault("broadcast", "WF502", broadcast, "mlp bag conv1d lstm"),
    Fault("relu-at-the-end", "WF502", lambda problem: numbers(problem, None, torch.relu), "cnn mlp wide mixer"),
    Fault("unused-layer", "WF503", unused, "mlp transformer lstm vit"),
    Fault("detached", "WF503", detached, "cnn bag conv1d mixer"),
    Fault("frozen-but-optimized", "WF503", frozen, "mlp resnet deep"),
    Fault("half-optimized", "WF503", half_optimized, "gru cnn lstm wide"),
    Fault("one-layer-thrice", "WF504", same_layers, "mlp gru resnet deep vit mixer"),
    Fault("softmax-over-rows", "WF505 WF502", around(None, lambda outputs: 4 * outputs.softmax(0)), "mlp cnn vit wide"),
    Fault(
        "own-batch-statistics", "WF505", around(lambda x: (x - x.mean(0)) / (x.std(0) + 1e-5)), "mlp resnet conv1d deep"
    ),
    Fault("rows-as-steps", "WF505", wrong_batch_axis, "gru lstm"),
    Fault("squeeze", "WF506", around(lambda x: x, lambda outputs: outputs.squeeze()), "mlp transformer mixer conv1d"),
    Fault("outputs-x-.000001", "WF507", around(None, lambda outputs: 1e-6 * outputs), "mlp gru vit lstm"),
    Fault(
        "lr-too-low",
        "WF507",
        optimized(lambda network: torch.optim.SGD(network.parameters(), lr=1e-9)),
        "mlp cnn wide mixer",
    ),
    Fault(
        "lr-too-high",
        "WF507",
        optimized(lambda network: torch.optim.SGD(network.parameters(), lr=1e4)),
        "cnn bag conv1d deep",
    ),
    Fault("inputs-overwritten", "WF508 WF503 WF517", around(lambda x: x * 0), "mlp bag lstm vit"),
    Fault(
        "softmax-of-one",
        "WF508 WF503",
        around(None, lambda outputs: outputs[:, :1].softmax(1) * torch.ones(CLASSES)),
        "cnn gru deep mixer",
    ),
    Fault("dropout-without-switch", "WF509", always_dropping, "mlp cnn vit wide"),
    Fault("train-always", "WF509", own_eval, "gru bag conv1d mixer"),
    Fault("functional-dropout-off", "WF510", never_dropping, "mlp resnet deep mixer"),
    Fault("dropout-discarded", "WF510", discarded_dropout, "cnn bag conv1d vit"),
    Fault("dropout-of-one-layer", "WF510", of_one_layer, "gru lstm"),
    Fault("dW-x-2", "WF511", doubled_hook, "mlp transformer lstm deep"),
    Fault("db-x-4", "WF511", planted_bias, "cnn mlp conv1d mixer"),
    Fault("wrong-function", "WF511", around(None, WrongSoftplus.apply), "gru bag wide vit"),
    Fault("wrong-loss", "WF511", with_loss(wrong_loss), "mlp resnet deep lstm"),
    Fault("one-way-detached", "WF511", one_way_detached, "cnn gru vit wide"),
    Fault("penalty-detached", "WF512", lost_penalty, "mlp gru deep lstm"),
    Fault("penalty-twice", "WF512", counted_twice, "cnn transformer vit wide"),
    Fault(
        "decay-on-all",
        "WF513",
        optimized(lambda network: torch.optim.AdamW(network.parameters(), lr=1e-3)),
        "mlp transformer lstm conv1d",
    ),
    Fault("penalty-on-all", "WF513", penalty_on_all, "resnet bag deep mixer"),
    Fault("zeros", "WF514", edited(zeros), "mlp cnn deep conv1d"),
    Fault("constants", "WF514", edited(constants), "mlp cnn wide conv1d"),
    Fault("sigmoid-tower", "WF515", sigmoid_tower, "mlp gru lstm deep"),
    Fault("too-small", "WF515", tower(0.1, nn.ReLU), "mlp cnn vit mixer"),
    Fault("too-large", "WF515 WF516", tower(8.0, nn.ReLU), "mlp resnet conv1d lstm"),
    Fault("dead-relu", "WF516", edited(dead), "mlp cnn"),
    Fault("dead-relu-inside", "WF516", edited(dead_inside), "transformer vit"),
    Fault("saturated-tanh", "WF516", saturated, "mlp gru deep mixer"),
    Fault("pixels-to-255", "WF517", rows_changed(lambda rows: 127 + 60 * rows), "cnn resnet vit"),
    Fault(
        "raw-columns",
        "WF517",
        rows_changed(lambda rows: rows * torch.logspace(-1, 3, rows.shape[-1]) + 5),
        "mlp gru wide mixer",
    ),
    Fault("by-the-variance", "WF517", rows_changed(by_variance), "mlp gru conv1d lstm"),
    Fault("dev-by-itself", "WF518", dev_by_itself, "mlp cnn gru deep wide mixer"),
)
