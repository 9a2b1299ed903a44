"""Ways in which people build loaders, losses and outputs with Lightning and skorch, for benchmarks/adapters.py.

Each gives wellfit's errors of train and dev beside those of plain PyTorch or scikit-learn, computed from the network
and the rows alone; or says that it was refused, and whether an update came first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import lightning.pytorch as pl
import numpy as np
import skorch
import torch
from sklearn.metrics import log_loss
from skorch.callbacks import EarlyStopping
from skorch.helper import predefined_split
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, Subset, SubsetRandomSampler, TensorDataset

from wellfit.exceptions import BadInput
from wellfit.loops.lightning import DiagnosisCallback
from wellfit.loops.skorch import DiagnosisCallback as SkorchDiagnosis

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

ROWS, COLUMNS = 240, 6
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


@dataclass(frozen=True)
class Outcome:
    """What a way came to: pairs of (wellfit's number, the plain one), or a refusal."""

    pairs: tuple[tuple[float, float], ...] = ()
    refused: bool = False
    updated: bool = False

    @property
    def difference(self) -> float:
        """The largest difference; 0 of a refusal before the first update, infinite of a later one."""
        if self.refused:
            return float("inf") if self.updated else 0.0
        return max((abs(ours - plain) for ours, plain in self.pairs), default=float("inf"))


@dataclass(frozen=True)
class Rows:
    """The rows of one seed, and which of them train."""

    X: Tensor
    labels: Tensor
    train: list[int]
    dev: list[int]

    @classmethod
    def of(cls, seed: int) -> Rows:
        """Draw rows whose classes overlap, so that outputs stay mild."""
        source = torch.Generator().manual_seed(seed)
        X = torch.randn(ROWS, COLUMNS, generator=source)
        labels = (torch.rand(ROWS, generator=source) < torch.sigmoid(X[:, 0] + 0.3)).long()
        order = torch.randperm(ROWS, generator=source).tolist()
        return cls(X, labels, order[:160], order[160:])


def plain_numbers(kind: str, outputs: Tensor, target: Tensor) -> dict[str, float]:
    """Return the numbers of each goal that outputs of a kind have, by scikit-learn and numpy."""
    y, z = target.numpy(), outputs.double().numpy()
    if kind == "values":
        return {"rmse": float(np.sqrt(np.mean((z.reshape(y.shape) - y) ** 2)))}
    if kind == "rates":
        return {"rmse": float(np.sqrt(np.mean((np.exp(z.reshape(y.shape)) - y) ** 2)))}
    if kind == "one":
        second = 1 / (1 + np.exp(-z.reshape(-1)))
        table = np.stack([1 - second, second], axis=1)
    else:
        table = torch.as_tensor(z).softmax(1).numpy()
    y = y.reshape(-1)
    return {"error": float(np.mean(table.argmax(1) != y)), "log_loss": float(log_loss(y, table, labels=[0, 1]))}


class Lit(pl.LightningModule):
    """Two classes in columns, trained by their cross entropy."""

    kind: ClassVar[str] = "columns"
    width: ClassVar[int] = 2

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(COLUMNS, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, self.width))

    def forward(self, x: Tensor) -> Any:
        return self.net(x)

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(z, y)

    def target(self, labels: Tensor) -> Tensor:
        return labels

    def training_step(self, batch: Any, _place: int) -> Tensor:
        return self.loss(self.net(batch[0]), batch[1])

    def validation_step(self, batch: Any, _place: int, dataloader_idx: int = 0) -> None:
        pass

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class Logarithms(Lit):
    def forward(self, x: Tensor) -> Any:
        return self.net(x).log_softmax(1)

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return functional.nll_loss(z.log_softmax(1), y)


class Softmax(Lit):
    def forward(self, x: Tensor) -> Any:
        return self.net(x).softmax(1)


class OneHot(Lit):
    def target(self, labels: Tensor) -> Tensor:
        return functional.one_hot(labels, 2).float()


class TupleOut(Lit):
    def forward(self, x: Tensor) -> Any:
        return self.net[0](x), self.net(x)


class MappingOut(Lit):
    def forward(self, x: Tensor) -> Any:
        return {"hidden": self.net[0](x), "logits": self.net(x)}


class Augmented(Lit):
    def on_after_batch_transfer(self, batch: Any, _place: int) -> Any:
        return (batch[0] + torch.randn_like(batch[0]) if self.trainer.training else batch[0]), batch[1]


class OwnColumns(Lit):
    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return -z.log_softmax(1).gather(1, y[:, None]).mean()


class OneLogit(Lit):
    kind, width = "one", 1

    def target(self, labels: Tensor) -> Tensor:
        return labels.float().unsqueeze(1)

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(z, y)


class FlatLogit(OneLogit):
    def forward(self, x: Tensor) -> Any:
        return self.net(x).squeeze(1)

    def target(self, labels: Tensor) -> Tensor:
        return labels.float()

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(z.squeeze(1), y)


class SigmoidOut(OneLogit):
    def forward(self, x: Tensor) -> Any:
        return self.net(x).sigmoid()


class SigmoidLoss(SigmoidOut):
    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return functional.binary_cross_entropy(z.sigmoid(), y)


class OwnOne(OneLogit):
    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return (z.sigmoid() - y).abs().mean()


class SquaredOfBits(OneLogit):
    kind = "values"

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return functional.mse_loss(z, y)


class Poisson(SquaredOfBits):
    kind = "rates"

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return functional.poisson_nll_loss(z, y)


class SeveralLabels(OneHot):
    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(z, y)


class OfTwo(Lit):
    def forward(self, x: Tensor, _y: Tensor) -> Any:
        return self.net(x)


class Stream(IterableDataset):
    """Rows that come one by one."""

    def __init__(self, rows: Subset) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return (self.rows[place] for place in range(len(self.rows)))


Load = Callable[[TensorDataset, list[int]], Any]


def plainly(data: TensorDataset, rows: list[int]) -> Any:
    """Return the loader that most people write."""
    return DataLoader(Subset(data, rows), 32, shuffle=True)


@dataclass(frozen=True)
class LightningWay:
    """A module, its loaders, and the options of the callback and the trainer."""

    module: type[Lit] = Lit
    load: Load = plainly
    options: Mapping[str, Any] = field(default_factory=dict)
    trainer: Mapping[str, Any] = field(default_factory=dict)
    refused: bool = False
    dev_loaders: Callable[[Any], Any] = lambda loader: loader

    def outcome(self, rows: Rows, goal: str) -> Outcome:
        """Fit, and compare."""
        module = self.module()
        target = module.target(rows.labels)
        data = TensorDataset(rows.X, target)
        start = {name: value.clone() for name, value in module.state_dict().items()}
        callback = DiagnosisCallback(write=lambda _said: None, goal=goal, **self.options)
        trainer = pl.Trainer(max_epochs=2, accelerator="cpu", callbacks=[callback], **QUIET, **self.trainer)
        try:
            trainer.fit(module, self.load(data, rows.train), self.dev_loaders(self.load(data, rows.dev)))
        except BadInput:
            state = module.float().state_dict()
            return Outcome(refused=True, updated=any(not torch.equal(state[name], start[name]) for name in start))
        if callback.diagnosis is None:
            return Outcome()
        found = callback.diagnosis.to_json()["errors"]
        module.float().eval()
        with torch.no_grad():
            known = target if module.kind in ("values", "rates") else rows.labels
            plain = [
                plain_numbers(module.kind, module.net(rows.X[part]), known[part]) for part in (rows.train, rows.dev)
            ]
        return Outcome(
            tuple((found[part]["value"], each[goal]) for part, each in zip(("train", "dev"), plain, strict=True))
        )

    @property
    def goals(self) -> tuple[str, ...]:
        """The goals that its outputs have."""
        return ("rmse",) if self.module.kind in ("values", "rates") else ("error", "log_loss")


LIGHTNING: Mapping[str, LightningWay] = {
    "cross entropy, subsets, shuffled": LightningWay(),
    "SubsetRandomSampler": LightningWay(
        load=lambda data, rows: DataLoader(data, 32, sampler=SubsetRandomSampler(rows))
    ),
    "a list as sampler": LightningWay(load=lambda data, rows: DataLoader(data, 7, sampler=rows)),
    "batch sampler that drops the last": LightningWay(
        load=lambda data, rows: DataLoader(
            data, batch_sampler=BatchSampler(SubsetRandomSampler(rows), 30, drop_last=True)
        )
    ),
    "shuffled, last batch dropped": LightningWay(
        load=lambda data, rows: DataLoader(Subset(data, rows), 50, shuffle=True, drop_last=True)
    ),
    "whole batches, batch_size=None": LightningWay(
        load=lambda data, rows: DataLoader(
            [data[rows[at : at + 40]] for at in range(0, len(rows), 40)], batch_size=None
        )
    ),
    "a stream": LightningWay(load=lambda data, rows: DataLoader(Stream(Subset(data, rows)), 32)),
    "batches of one row": LightningWay(load=lambda data, rows: DataLoader(Subset(data, rows), 1)),
    "log-softmax, NLL": LightningWay(Logarithms),
    "forward ends in a softmax": LightningWay(Softmax),
    "one-hot targets": LightningWay(OneHot),
    "forward returns a tuple": LightningWay(TupleOut),
    "forward returns a mapping": LightningWay(MappingOut),
    "augments while training": LightningWay(Augmented),
    "a loss of one's own, two columns": LightningWay(OwnColumns),
    "one logit, target [n, 1]": LightningWay(OneLogit),
    "one logit, batches of one row": LightningWay(OneLogit, load=lambda data, rows: DataLoader(Subset(data, rows), 1)),
    "one logit, target [n]": LightningWay(FlatLogit),
    "forward ends in a sigmoid": LightningWay(SigmoidOut),
    "sigmoid and binary cross entropy": LightningWay(SigmoidLoss),
    "a loss of one's own, told": LightningWay(OwnOne, options={"outputs": "logits"}),
    "squared error of 0 and 1": LightningWay(SquaredOfBits),
    "Poisson": LightningWay(Poisson),
    "two loaders, named": LightningWay(options={"train_dev": 0, "dev": 1}, dev_loaders=lambda loader: [loader, loader]),
    "a loss of one's own, one output": LightningWay(OwnOne, refused=True),
    "several labels a row": LightningWay(SeveralLabels, refused=True),
    "forward(x, y)": LightningWay(OfTwo, refused=True),
    "two loaders, not named": LightningWay(dev_loaders=lambda loader: [loader, loader], refused=True),
}


class Net(nn.Module):
    """Two columns."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(COLUMNS, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, width))

    def forward(self, x: Tensor) -> Any:
        return self.layers(x)


class SoftNet(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x).softmax(1)


class FlatNet(Net):
    def __init__(self) -> None:
        super().__init__(width=1)

    def forward(self, x: Tensor) -> Any:
        return self.layers(x).squeeze(1)


class SigmoidNet(FlatNet):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x).sigmoid()


class TupleNet(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x), self.layers[0](x)


class TupleClassifier(skorch.NeuralNetClassifier):
    """Its loss is of the first of two outputs."""

    def get_loss(self, y_pred: Any, y_true: Any, *_: Any, **__: Any) -> Any:
        return functional.cross_entropy(y_pred[0], y_true)


class FourthPower(nn.Module):
    """A loss of one's own."""

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        return ((outputs - target) ** 4).mean()


@dataclass(frozen=True)
class SkorchWay:
    """A net, its module and its arguments; `target` of the labels."""

    net: Any = skorch.NeuralNetClassifier
    module: type[nn.Module] = Net
    more: Mapping[str, Any] = field(default_factory=dict)
    target: Callable[[Tensor, Tensor], Tensor] = lambda labels, _X: labels
    goals: tuple[str, ...] = ("error", "log_loss")
    options: Mapping[str, Any] = field(default_factory=dict)
    last: tuple[Any, ...] = ()
    refused: bool = False

    def outcome(self, rows: Rows, goal: str) -> Outcome:
        """Fit, and compare with what the net itself predicts."""
        torch.manual_seed(0)
        X, y = rows.X.numpy(), self.target(rows.labels, rows.X).numpy()
        callback = SkorchDiagnosis(write=lambda _said: None, goal=goal, **self.options)
        dev = skorch.dataset.Dataset(X[rows.dev], y[rows.dev])
        shared = {"max_epochs": 4, "verbose": 0, "lr": 0.05, "train_split": predefined_split(dev)}
        net = self.net(self.module, callbacks=[("told", callback), *self.last], **{**shared, **self.more})
        try:
            net.fit(X[rows.train], y[rows.train])
        except BadInput:
            return Outcome(refused=True, updated=any(row.get("batches") for row in net.history))
        found = dict(net.callbacks_)["told"].diagnosis_
        if found is None:
            return Outcome()
        errors = found.to_json()["errors"]
        plain = [_of_net(net, X[part], y[part], goal=goal) for part in (rows.train, rows.dev)]
        return Outcome(tuple((errors[part]["value"], each) for part, each in zip(("train", "dev"), plain, strict=True)))


def _of_net(net: Any, X: Any, y: Any, *, goal: str) -> float:
    if goal == "rmse":
        return float(np.sqrt(np.mean((net.predict(X).reshape(y.shape) - y) ** 2)))
    if goal == "error":
        return float(np.mean(net.predict(X) != y))
    return float(log_loss(y, net.predict_proba(X).astype(np.float64)))


CROSS = {"criterion": nn.CrossEntropyLoss}
BITS: Callable[[Tensor, Tensor], Tensor] = lambda labels, _X: labels.float()  # noqa: E731
BINARY = {"net": skorch.NeuralNetBinaryClassifier, "module": FlatNet, "target": BITS}
VALUES = {"goals": ("rmse",), "net": skorch.NeuralNetRegressor}
BEST = ("best", EarlyStopping(patience=9, load_best=True))

SKORCH: Mapping[str, SkorchWay] = {
    "logits, cross entropy": SkorchWay(more=CROSS),
    "softmax, NLLLoss": SkorchWay(module=SoftNet),
    "batches of one row": SkorchWay(more={**CROSS, "iterator_valid__batch_size": 1}),
    "one batch": SkorchWay(more={**CROSS, "batch_size": -1}),
    "tuple": SkorchWay(net=TupleClassifier, module=TupleNet, more=CROSS),
    "best weights, loaded last": SkorchWay(more={**CROSS, "max_epochs": 12}, last=(BEST,)),
    "a function of one's own": SkorchWay(
        more={"criterion": nn.MultiMarginLoss, "predict_nonlinearity": lambda z: z.softmax(1)}
    ),
    "two classes, one logit": SkorchWay(**BINARY),
    "two classes, batches of one row": SkorchWay(**BINARY, more={"iterator_valid__batch_size": 1}),
    "two classes, much decay": SkorchWay(**BINARY, more={"optimizer__weight_decay": 0.1}),
    "two classes, threshold .6": SkorchWay(**BINARY, more={"threshold": 0.6}),
    "two classes, sigmoid and BCELoss": SkorchWay(**{**BINARY, "module": SigmoidNet}, more={"criterion": nn.BCELoss}),
    "values [n, 1]": SkorchWay(
        **VALUES, module=Net, more={"module__width": 1, "lr": 0.01}, target=lambda labels, _X: labels.float()[:, None]
    ),
    "values [n] of 0 and 1": SkorchWay(**VALUES, module=FlatNet, more={"lr": 0.01}, target=BITS),
    "two targets": SkorchWay(**VALUES, more={"lr": 0.01}, target=lambda _labels, X: X[:, :2] * 2),
    "a loss of one's own, told": SkorchWay(
        skorch.NeuralNet, FlatNet, {"criterion": FourthPower, "lr": 0.01}, BITS, ("rmse",), {"outputs": "values"}
    ),
    "a loss of one's own": SkorchWay(skorch.NeuralNet, FlatNet, {"criterion": FourthPower}, BITS, refused=True),
    "logits before NLLLoss": SkorchWay(refused=True),
    "several labels a row": SkorchWay(
        skorch.NeuralNet,
        Net,
        {"criterion": nn.BCEWithLogitsLoss},
        lambda labels, _X: functional.one_hot(labels, 2).float(),
        refused=True,
    ),
}
