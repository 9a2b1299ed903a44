"""`wf.check` on planted faults and on sound networks: are faults named, and is there no alarm where there is none?

A fault is named where the first finding of `Check.fired` is the fault's. Half of the kinds of networks (and of the
sound ones) were looked at while the checks were written; the others were held back, and count by themselves. The
rival is what Lightning's `overfit_batches` would show: whether Adam fits one batch of 8 rows to near zero. It says
that something is wrong, and never what.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

import wellfit as wf
from check_faults import FAULTS, numbers, weights_of
from check_networks import (
    CLASSES,
    DEVELOPED,
    KINDS,
    ROWS,
    Around,
    Attending,
    Block,
    Cosine,
    Experts,
    Gated,
    Language,
    Low,
    Problem,
    Recurrent,
    Segmenting,
    Signs,
    Sine,
    cnn,
    mlp,
    pictures,
    resnet,
    series,
    spectral_normed,
    table,
    weight_normed,
)
from report import Row, arguments, finish, markdown, share_row

LEAST_NAMED = 0.9
LEAST_QUIET = 0.95
Made = Callable[[], Problem]


def well_optimized(problem: Problem) -> Problem:
    """With cross-entropy and an optimizer that spares what should not decay."""
    groups = wf.param_groups(problem.network, l2=1.0, rows=ROWS, lr=1e-3)
    return replace(problem, loss=nn.CrossEntropyLoss(), optimizer=torch.optim.AdamW(groups))


def zero_head() -> Problem:
    """The last layer begins at zero."""
    network = mlp()
    nn.init.zeros_(network[-1].weight)
    return Problem(network, *table())


def pretrained() -> Problem:
    """A frozen trained backbone and a new head, which alone is in the optimizer."""
    network = cnn()
    for one in network[:-1].modules():
        if isinstance(one, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(one.weight)
            one.requires_grad_(False)
    return Problem(network, *pictures(), optimizer=torch.optim.SGD(network[-1].parameters(), lr=0.1))


def penalized() -> Problem:
    """L2 in the loss, on weights alone, and no weight_decay."""
    network = mlp()
    weights = weights_of(network)

    def loss(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (
            functional.cross_entropy(outputs, target) + 1e-4 * torch.stack([one.pow(2).sum() for one in weights]).sum()
        )

    return Problem(network, *table(), loss=loss, optimizer=torch.optim.SGD(network.parameters(), lr=0.1))


def multi_label() -> Problem:
    """Several labels a row."""
    rows, _ = table()
    return Problem(mlp(3), rows, (rows[:, :3] > 0.3).float(), loss=nn.BCEWithLogitsLoss())


def rare_class() -> Problem:
    """One row in twenty is positive."""
    rows, _ = table()
    return Problem(mlp(2), rows, (rows[:, 0] > 1.6).long(), loss=nn.CrossEntropyLoss())


def many_classes() -> Problem:
    """As many classes as rows, nearly."""
    rows, _ = table()
    return Problem(mlp(100), rows, torch.arange(ROWS) % 100)


def raw_behind_norm() -> Problem:
    """Raw columns, which a first norm scales."""
    rows, target = table()
    return Problem(nn.Sequential(nn.BatchNorm1d(12), *mlp()), rows * 50 + 200, target)


def raw_scaled_inside() -> Problem:
    """Pixels from 0 to 255, divided inside."""
    rows, target = pictures()
    return Problem(Around(resnet(), lambda x: (x - 127) / 60), rows * 60 + 127, target)


def with_dev() -> Problem:
    """Dev scaled by train's statistics."""
    rows, target = table()
    dev = (torch.randn(90, 12) - 0.02) / 1.01
    return Problem(mlp(), rows, target, dev=(dev, target[:90]))


def quantile() -> Problem:
    """A loss of the user's own."""
    made = numbers(KINDS["mlp"]())

    def loss(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return torch.maximum(0.9 * (target - outputs), 0.1 * (outputs - target)).mean()

    return replace(made, loss=loss)


def positive() -> Problem:
    """Positive numbers behind softplus."""
    made = numbers(KINDS["mlp"](), None, functional.softplus)
    return replace(made, target=made.target.exp() / 3)


def segmenting() -> Problem:
    """A class for each pixel."""
    rows, _ = pictures()
    return Problem(Segmenting(), rows, (rows.mean(1) > 0).long(), loss=nn.CrossEntropyLoss())


def language() -> Problem:
    """The next word at each step."""
    rows = torch.arange(12).repeat(ROWS, 1) + torch.arange(ROWS).unsqueeze(1)

    def loss(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(outputs.flatten(0, 1), target.flatten())

    return Problem(Language(), rows % 40, (rows + 1) % 40, loss=loss)


def autoencoder() -> Problem:
    """Rows from themselves."""
    rows, _ = table()
    network = nn.Sequential(
        nn.Linear(12, 32), nn.GELU(), nn.Linear(32, 4), nn.Linear(4, 32), nn.GELU(), nn.Linear(32, 12)
    )
    return Problem(network, rows, rows.clone(), loss=nn.MSELoss())


def mobile() -> nn.Sequential:
    """Convolutions of single channels, whose padding meets the kinks of ReLU6 exactly."""
    layers = [nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6(inplace=True)]
    for _ in range(3):
        layers += [nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU6(inplace=True)]
        layers += [nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(16, CLASSES))


def noisy() -> Problem:
    """Noise of its own in training alone."""

    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = mlp()

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.layers(rows + 0.1 * torch.randn_like(rows) if self.training else rows)
            return found

    return Problem(Noisy(), *table())


def summed() -> Problem:
    """A loss that sums over rows."""
    return Problem(mlp(), *table(), loss=nn.CrossEntropyLoss(reduction="sum"))


ODD: Mapping[str, Made] = {
    "zero-head": zero_head,
    "rezero": lambda: Problem(Gated(), *table()),
    "lora": lambda: Problem(Low(), *table()),
    "tied-language-model": language,
    "experts": lambda: Problem(Experts(), *table()),
    "sine": lambda: Problem(Sine(), *table()),
    "cosine-logits": lambda: Problem(Cosine(), *table()),
    "straight-through": lambda: Problem(Signs(), *table()),
    "segmenting": segmenting,
    "weight-norm": lambda: Problem(weight_normed(), *table()),
    "spectral-norm": lambda: Problem(spectral_normed(), *table()),
    "pretrained-frozen": pretrained,
    "l2-in-the-loss": penalized,
    "multi-label": multi_label,
    "rare-class": rare_class,
    "many-classes": many_classes,
    "raw-behind-norm": raw_behind_norm,
    "scaled-inside": raw_scaled_inside,
    "with-dev": with_dev,
    "quantile-loss": quantile,
    "softplus-output": positive,
    "autoencoder": autoencoder,
    "own-noise": noisy,
    "summed-loss": summed,
    "logistic-regression": lambda: Problem(nn.Linear(12, 2), table()[0], (table()[0][:, 0] > 0).long()),
    "linear-regression": lambda: numbers(Problem(nn.Linear(12, CLASSES), *table())),
    "huber": lambda: replace(numbers(KINDS["conv1d"]()), loss=nn.HuberLoss()),
    "log-softmax": lambda: replace(
        KINDS["gru"](),
        network=Around(Recurrent(nn.GRU(6, 32, batch_first=True)), None, lambda x: x.log_softmax(1)),
        loss=nn.NLLLoss(),
    ),
    "label-smoothing": lambda: replace(KINDS["vit"](), loss=nn.CrossEntropyLoss(label_smoothing=0.1)),
    "selu": lambda: Problem(
        nn.Sequential(
            nn.Linear(12, 40), nn.SELU(), nn.AlphaDropout(0.1), nn.Linear(40, 40), nn.SELU(), nn.Linear(40, CLASSES)
        ),
        *table(),
    ),
    "dropout-of-half": lambda: Problem(
        nn.Sequential(*cnn()[:-1], nn.Dropout(0.5), nn.Linear(32, CLASSES)), *pictures()
    ),
    "hinge": lambda: Problem(mlp(), *table(), loss=nn.MultiMarginLoss()),
    "mobile": lambda: Problem(mobile(), *pictures(16)),
    "tanh-rnn": lambda: Problem(Recurrent(nn.RNN(6, 32, batch_first=True)), *series()),
    "post-norm": lambda: Problem(Attending(nn.Linear(6, 32), 10, dropout=0.2), *series()),
    "one-logit": lambda: Problem(
        Around(mlp(1), None, lambda x: x.squeeze(1)),
        table()[0],
        (table()[0][:, 0] > 0).float(),
        loss=nn.BCEWithLogitsLoss(),
    ),
}
"""Networks that look odd and are sound."""
SOUND: Mapping[str, Made] = {
    **{f"{name}, plain": make for name, make in KINDS.items()},
    **{f"{name}, optimized": lambda make=make: well_optimized(make()) for name, make in KINDS.items()},  # type: ignore[misc]
    **ODD,
}
DEVELOPED_SOUND = frozenset(
    [*(f"{kind}, {how}" for kind in DEVELOPED for how in ("plain", "optimized")), *list(ODD)[::2]]
)


def million_mlp() -> Problem:
    """An MLP of a million parameters."""
    layers = [nn.Linear(12, 800), nn.ReLU(), nn.Linear(800, 800), nn.ReLU(), nn.Linear(800, 400), nn.ReLU()]
    return Problem(nn.Sequential(*layers, nn.Linear(400, CLASSES)), *table())


def million_resnet() -> Problem:
    """A residual network of a million parameters on pictures of 16 x 16."""
    stem = [nn.Conv2d(3, 80, 3, padding=1, bias=False), nn.BatchNorm2d(80), nn.ReLU(), nn.MaxPool2d(2)]
    blocks = [Block(80) for _ in range(9)]
    return Problem(
        nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(80, CLASSES)), *pictures(16)
    )


MILLION: Mapping[str, Made] = {"mlp": million_mlp, "resnet": million_resnet}


def checked(make: Made, *, seed: int) -> wf.Check:
    """The check of one case, drawn from a seed."""
    torch.manual_seed(seed)
    problem = make()
    return wf.check(problem.network, problem.rows, problem.target, **problem.arguments(), seed=seed)


def _seconds(make: Made) -> float:
    """Seconds of the processor, which a busy neighbour does not change."""
    torch.manual_seed(0)
    problem = make()
    started = time.process_time()
    wf.check(problem.network, problem.rows, problem.target)
    return time.process_time() - started


def main() -> None:
    """Plant, check, count."""
    asked = arguments(__doc__)
    seeds = asked.seeds[:1]
    named: dict[bool, list[bool]] = defaultdict(list)
    groups: dict[str, list[bool]] = defaultdict(list)
    quiet: dict[bool, list[bool]] = defaultdict(list)
    rival: list[bool] = []
    for fault in FAULTS:
        for kind in fault.kinds[1::2] if asked.quick and len(fault.kinds) > 2 else fault.kinds:
            for seed in seeds:
                found = checked(lambda kind=kind, fault=fault: fault.spoil(KINDS[kind]()), seed=seed)  # type: ignore[misc]
                first = found.leading.code if found.leading else "nothing"
                named[kind in DEVELOPED].append(first in fault.codes)
                groups[fault.codes[0]].append(first in fault.codes)
                rival.append(any(each.code == "WF507" for each in found.fired))
                fired = " ".join(each.code for each in found.fired)
                print(fault.name, kind, fault.names, first, fired, sep=" | ", file=sys.stderr)
    for name, make in SOUND.items():
        if asked.quick and name.endswith("optimized"):
            continue
        for seed in seeds:
            found = checked(make, seed=seed)
            quiet[name in DEVELOPED_SOUND].append(not found.fired)
            if found.fired:
                print(name, [(each.code, each.evidence) for each in found.fired], file=sys.stderr)
    rows = [
        share_row("faults named, kinds held back", named[False], LEAST_NAMED, quick=asked.quick),
        share_row("faults named, kinds looked at", named[True], LEAST_NAMED, quick=asked.quick),
        share_row("no alarm on sound networks held back", quiet[False], LEAST_QUIET, quick=asked.quick),
        share_row("no alarm on sound networks looked at", quiet[True], LEAST_QUIET, quick=asked.quick),
        share_row("rival: faults that keep one batch from being fitted", rival, None, quick=asked.quick),
        *(Row(f"processor seconds, {name} of a million", _seconds(make), 10.0) for name, make in MILLION.items()),
    ]
    cells = [share_row(f"named {code}", hits, None, quick=asked.quick) for code, hits in sorted(groups.items())]
    heads = ("finding", "named", "of")
    shown = markdown(heads, [(code, str(sum(hits)), str(len(hits))) for code, hits in sorted(groups.items())])
    finish("check_cases", rows, as_json=asked.json, table=shown, cells=cells)


if __name__ == "__main__":
    main()
