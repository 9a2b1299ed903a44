"""The Lightning callback measures the user's network on the user's rows, or refuses before the first update."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from torch.overrides import _get_current_function_mode
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, Subset, SubsetRandomSampler, TensorDataset

from wellfit.exceptions import BadInput

pl = pytest.importorskip("lightning.pytorch")
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("DeprecationWarning", "FutureWarning", "UserWarning")
]

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(300, 8, generator=GENERATOR)
Y = (torch.rand(300, generator=GENERATOR) < torch.sigmoid(X[:, 0])).long()
ORDER = torch.randperm(300, generator=GENERATOR).tolist()
TRAIN, DEV = ORDER[:200], ORDER[200:]
DATA = TensorDataset(X, Y)


class Net(pl.LightningModule):
    """Two classes in columns; counts its training steps."""

    def __init__(self, outputs=2):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, outputs))
        self.steps = 0

    def forward(self, x):
        return self.net(x)

    def loss(self, batch):
        return cross_entropy(self.net(batch[0]), batch[1])

    def training_step(self, batch, place):
        self.steps += 1
        return self.loss(batch)

    def validation_step(self, batch, place, dataloader_idx=0):
        self.log("v", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)

    @torch.no_grad()
    def wrong(self, rows):
        """The plain number: the share of wrong rows."""
        self.float().eval()
        return float((self.net(X[rows]).argmax(1) != Y[rows]).double().mean())


def fit(module, train=None, dev=None, *, options=None, epochs=2, **trainer):
    from wellfit.loops.lightning import DiagnosisCallback

    said = []
    callback = DiagnosisCallback(write=said.append, **(options or {}))
    train = DataLoader(Subset(DATA, TRAIN), 32, shuffle=True) if train is None else train
    dev = DataLoader(Subset(DATA, DEV), 32) if dev is None else dev
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    pl.Trainer(
        max_epochs=epochs, callbacks=[callback], accelerator="cpu", enable_model_summary=False, **quiet, **trainer
    ).fit(module, train, dev)
    return callback.diagnosis


def values(diagnosis):
    errors = diagnosis.to_json()["errors"]
    return [errors[part]["value"] for part in ("train", "dev")]


class Pairs(torch.utils.data.Sampler):
    """A batch sampler of the user's own."""

    def __iter__(self):
        return iter([TRAIN[place : place + 2] for place in range(0, 200, 2)])

    def __len__(self):
        return 100


class Halves:
    """A loader of the user's own."""

    def __init__(self, rows):
        self.halves = rows[:60], rows[60:]

    def __iter__(self):
        return iter([(X[half], Y[half]) for half in self.halves])

    def __len__(self):
        return 2


class Stream(IterableDataset):
    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        return iter([DATA[row] for row in self.rows])


LOADERS = {
    "subsets": lambda rows: DataLoader(Subset(DATA, rows), 32, shuffle=rows is TRAIN),
    "random subset": lambda rows: DataLoader(DATA, 32, sampler=SubsetRandomSampler(rows)),
    "list": lambda rows: DataLoader(DATA, 32, sampler=rows),
    "batches of a sampler": lambda rows: DataLoader(
        DATA, batch_sampler=BatchSampler(SubsetRandomSampler(rows), 32, True)
    ),
    "own batches": lambda rows: (
        DataLoader(DATA, batch_sampler=Pairs()) if rows is TRAIN else DataLoader(DATA, 1, sampler=rows)
    ),
    "no batches": lambda rows: DataLoader(
        [(X[rows[at : at + 50]], Y[rows[at : at + 50]]) for at in range(0, len(rows), 50)], batch_size=None
    ),
    "dropped last batch": lambda rows: DataLoader(Subset(DATA, rows), 96, shuffle=True, drop_last=True),
    "stream": lambda rows: DataLoader(Stream(rows), 32),
    "own loader": Halves,
}


@pytest.mark.parametrize("name", LOADERS)
def test_the_rows_are_those_of_the_loaders_own_sampler(name):
    module = Net()
    found = fit(module, LOADERS[name](TRAIN), LOADERS[name](DEV))
    assert [found.errors.train.rows, found.errors.dev.rows] == [200, 100]
    assert values(found) == pytest.approx([module.wrong(TRAIN), module.wrong(DEV)], abs=1e-9)


class Augmenting(Net):
    def on_after_batch_transfer(self, batch, place):
        x, y = batch
        return (x + torch.randn_like(x) if self.trainer.training else x), y


class Tupled(Net):
    def forward(self, x):
        hidden = self.net[0](x)
        return hidden, self.net(x)


class Mapped(Net):
    def forward(self, x):
        return {"hidden": self.net[0](x), "logits": self.net(x)}


class ByHand(Net):
    """Its updates are its own."""

    automatic_optimization = False

    def training_step(self, batch, place):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.loss(batch))
        optimizer.step()


class Softly(Net):
    """A loss of its own, of which nothing is known."""

    def loss(self, batch):
        return -(self.net(batch[0]).log_softmax(1).gather(1, batch[1][:, None])).mean()


MODULES = {
    "augments while training": (Augmenting, {}),
    "double precision": (Net, {"precision": "64-true"}),
    "tuple": (Tupled, {}),
    "mapping": (Mapped, {}),
    "manual updates": (ByHand, {}),
    "unknown loss": (Softly, {}),
}


@pytest.mark.parametrize("name", MODULES)
def test_the_network_is_measured_as_lightning_validates_it(name):
    kind, options = MODULES[name]
    module = kind()
    found = fit(module, **options)
    assert values(found) == pytest.approx([module.wrong(TRAIN), module.wrong(DEV)], abs=1e-9)
    assert not any("logged" in note for note in found.notes)


def test_a_compiled_network_is_measured_too():
    module = Net()
    module.net = torch.compile(module.net, backend="eager")
    found = fit(module, epochs=1)
    assert values(found) == pytest.approx([module.wrong(TRAIN), module.wrong(DEV)], abs=1e-9)


def test_mixed_precision_is_lightnings_own():
    module = Net()
    found = fit(module, precision="bf16-mixed")
    module.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        wrong = [float((module(X[rows]).argmax(1) != Y[rows]).double().mean()) for rows in (TRAIN, DEV)]
    assert values(found) == pytest.approx(wrong, abs=1e-9)


class Binary(Net):
    """One logit for each row, and a target [rows, 1]."""

    def __init__(self):
        super().__init__(outputs=1)

    def loss(self, batch):
        return binary_cross_entropy_with_logits(self.net(batch[0]), batch[1])

    def validation_step(self, batch, place):
        self.log("v", self.loss(batch))


class Sigmoid(Binary):
    def forward(self, x):
        return self.net(x).sigmoid().squeeze(1)


@pytest.mark.parametrize("batch", [200, 1])
@pytest.mark.parametrize("kind", [Binary, Sigmoid])
def test_one_output_is_read_alike_whatever_the_batches_look_like(kind, batch):
    module, rows = kind(), Y.float().unsqueeze(1)
    loaders = [DataLoader(TensorDataset(X[part], rows[part]), batch) for part in (TRAIN, DEV)]
    found = fit(module, *loaders, options={"goal": "log_loss"}, epochs=1)
    module.eval()
    with torch.no_grad():
        logits = [module.net(X[part]).double() for part in (TRAIN, DEV)]
    expected = [
        float(binary_cross_entropy_with_logits(z, rows[part].double()))
        for z, part in zip(logits, (TRAIN, DEV), strict=True)
    ]
    assert values(found) == pytest.approx(expected, abs=1e-6)
    error = values(fit(kind(), *loaders, epochs=1))
    assert error == pytest.approx(
        [float(((z > 0) != rows[part]).double().mean()) for z, part in zip(logits, (TRAIN, DEV), strict=True)]
    )


class ByName(Binary):
    """A criterion that is called by the names of its parameters."""

    def loss(self, batch):
        return nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))(input=self.net(batch[0]), target=batch[1])


class WithPenalty(Binary):
    """A second loss, of something else than the target."""

    def loss(self, batch):
        logits = self.net(batch[0])
        return binary_cross_entropy_with_logits(logits, batch[1]) + 0.1 * mse_loss(logits, torch.zeros_like(logits))


class Focal(Binary):
    def loss(self, batch):
        each = binary_cross_entropy_with_logits(self.net(batch[0]), batch[1], reduction="none")
        return (each * (1 - (-each).exp()) ** 2).mean()


class Mixed(Binary):
    """Mixup: the loss never sees a target as it is."""

    def loss(self, batch):
        x, y = batch
        other = torch.randperm(len(x))
        return binary_cross_entropy_with_logits(self.net(0.7 * x + 0.3 * x[other]), 0.7 * y + 0.3 * y[other])


class Compiled(Binary):
    def __init__(self):
        super().__init__()
        self.net.compile(backend="eager")


@pytest.mark.parametrize("kind", [ByName, WithPenalty, Focal, Mixed, Compiled])
def test_the_loss_is_known_however_it_is_written(kind):
    module, rows = kind(), Y.float().unsqueeze(1)
    found = fit(module, *float_loaders(rows), epochs=1)
    module.eval()
    with torch.no_grad():
        wrong = [float(((module.net(X[part]) > 0) != rows[part]).double().mean()) for part in (TRAIN, DEV)]
    assert values(found) == pytest.approx(wrong, abs=1e-9)


class Counts(Binary):
    def loss(self, batch):
        return mse_loss(self.net(batch[0]), batch[1])


def test_values_of_0_and_1_are_values_for_a_squared_error():
    module, rows = Counts(), Y.float().unsqueeze(1)
    found = fit(module, *(DataLoader(TensorDataset(X[part], rows[part]), 4) for part in (TRAIN, DEV)))
    module.eval()
    with torch.no_grad():
        expected = [float(mse_loss(module.net(X[part]), rows[part])) ** 0.5 for part in (TRAIN, DEV)]
    assert found.goal.name == "rmse"
    assert values(found) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("keys", [[0, 1], ["near", "far"]], ids=["places", "keys"])
def test_several_loaders_are_told_apart_by_name(keys):
    module, halves = Net(), (DEV[:60], DEV[60:])
    loaders = [DataLoader(Subset(DATA, rows), 20) for rows in halves]
    given = loaders if keys == [0, 1] else dict(zip(keys, loaders, strict=True))
    found = fit(module, dev=given, options={"train_dev": keys[0], "dev": keys[1]}).errors
    assert (found.train_dev.rows, found.dev.rows) == (60, 40)
    assert [found.train_dev.value, found.dev.value] == pytest.approx([module.wrong(rows) for rows in halves])
    rest = fit(Net(), dev=given, options={"train_dev": keys[0]}).errors
    assert rest.dev.rows == 40


def test_training_is_the_same_with_the_callback_and_without():
    """It draws no random number that training would have drawn, and leaves every mode and buffer alone."""

    class Frozen(Net):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(8)

        def forward(self, x):
            return self.net(self.norm(x))

        def loss(self, batch):
            self.net.eval()  # a part that stays frozen while the rest trains
            return cross_entropy(self(batch[0]), batch[1])

    nets = [Frozen(), Frozen()]
    torch.manual_seed(1)
    fit(nets[0])
    torch.manual_seed(1)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    loaders = DataLoader(Subset(DATA, TRAIN), 32, shuffle=True), DataLoader(Subset(DATA, DEV), 32)
    pl.Trainer(max_epochs=2, accelerator="cpu", enable_model_summary=False, **quiet).fit(nets[1], *loaders)
    for name, value in nets[0].state_dict().items():
        torch.testing.assert_close(value, nets[1].state_dict()[name], rtol=0, atol=0)
    assert [each.training for each in nets[0].modules()] == [each.training for each in nets[1].modules()]


def test_a_logged_number_that_differs_is_said():
    class Logging(Net):
        def validation_step(self, batch, place):
            self.log("val/acc", torch.tensor(0.123))

    assert any("logged is val/acc = 0.123" in note for note in fit(Logging(), epochs=1).notes)
    shortened = fit(Net(), epochs=1, limit_train_batches=2).notes
    assert any("trained on 2 of 7 batches" in note for note in shortened)


def test_a_second_softmax_is_said():
    class Twice(Net):
        def forward(self, x):
            return self.net(x).softmax(1)

        def loss(self, batch):
            return cross_entropy(self(batch[0]), batch[1])

    assert any("applies another" in note for note in fit(Twice(), epochs=1).notes)


class WithTarget(Net):
    def forward(self, x, y):
        return self.net(x)


class OwnBinary(Binary):
    def loss(self, batch):
        return (self.net(batch[0]).sigmoid() - batch[1]).abs().mean()


class Smoothed(Binary):
    def loss(self, batch):
        return binary_cross_entropy_with_logits(self.net(batch[0]), batch[1] * 0.8 + 0.1)


def float_loaders(labels):
    return [DataLoader(TensorDataset(X[rows], labels[rows]), 32) for rows in (TRAIN, DEV)]


REFUSED = {
    "forward of two": (WithTarget, {}, "inputs of a batch"),
    "three in a batch": (
        Net,
        {"train": DataLoader(TensorDataset(X, Y, Y), 32)},
        "must be \\(x, y\\)",
    ),
    "mappings": (Net, {"dev": DataLoader([{"x": X[0], "y": Y[0]}], 1)}, "must be \\(x, y\\)"),
    "which loader": (Net, {"dev": [LOADERS["subsets"](DEV)] * 2}, "dev and train_dev must each name"),
    "no such loader": (Net, {"options": {"dev": "far"}}, "dev and train_dev must each name"),
    "two training loaders": (Net, {"train": {"a": LOADERS["subsets"](TRAIN)}}, "a single training loader"),
    "an iterator": (Net, {"train": iter(LOADERS["subsets"](TRAIN))}, "more than once"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_diagnosed_is_refused_before_it_trains(name):
    kind, options, said = REFUSED[name]
    module = kind()
    with pytest.raises(BadInput, match=said):
        fit(module, num_sanity_val_steps=0, **options)
    assert module.steps == 0


@pytest.mark.parametrize("labels", [Y.float().unsqueeze(1), Y.unsqueeze(1)], ids=["floats", "integers"])
def test_what_only_the_loss_could_tell_is_asked_before_the_first_update(labels):
    module = OwnBinary()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    train, dev = float_loaders(labels)
    with pytest.raises(BadInput, match="the kind of a module's outputs"):
        fit(module, train, dev, epochs=1)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert _get_current_function_mode() is None
    if labels.is_floating_point():
        found = fit(OwnBinary(), train, dev, options={"outputs": "logits"}, epochs=1)
        assert found.goal.name == "error"


def test_smoothed_labels_in_the_loss_are_labels_all_the_same():
    module = Smoothed()
    found = fit(module, *float_loaders(Y.float().unsqueeze(1)), epochs=1)
    module.eval()
    with torch.no_grad():
        expected = float(((module.net(X[DEV])[:, 0] > 0) != Y[DEV]).double().mean())
    assert found.errors.dev.value == pytest.approx(expected)


def test_a_step_that_fails_leaves_no_watcher_behind():
    class Failing(Net):
        def loss(self, batch):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fit(Failing())
    assert _get_current_function_mode() is None


def test_a_function_of_the_users_own_predicts_what_else_there_is():
    def predict(module, batch):
        x, y, _ = batch
        return y, module.net(x).softmax(1)

    class Three(Net):
        def validation_step(self, batch, place):
            pass

    data, module = TensorDataset(X, Y, Y), Three()
    loaders = [DataLoader(Subset(data, rows), 32) for rows in (TRAIN, DEV)]
    found = fit(module, *loaders, options={"predict": predict}, epochs=1)
    assert values(found) == pytest.approx([module.wrong(TRAIN), module.wrong(DEV)], abs=1e-9)
    with pytest.raises(BadInput, match="predict must return"):
        fit(Three(), *loaders, options={"predict": lambda module, batch: (batch[1],) * 3}, epochs=1)


def test_options_are_checked_before_anything():
    from wellfit.loops.lightning import DiagnosisCallback

    with pytest.raises(BadInput, match="human_error"):
        DiagnosisCallback(humman_error=0.1)
    with pytest.raises(BadInput, match="goal"):
        DiagnosisCallback(goal="accuracy")


def test_a_label_that_fails_at_the_end_loses_no_fit():
    """The first batches are as they should be; row 150 of the training rows is not."""
    labels = Y[TRAIN].clone()
    labels[150] = 2
    data = TensorDataset(X[TRAIN], labels)

    class Lenient(Net):
        def loss(self, batch):
            return cross_entropy(self.net(batch[0]), batch[1].clamp(max=1))

    module = Lenient()
    assert fit(module, DataLoader(data, 32), epochs=1) is None
    assert module.steps == 7
    assert np.isfinite(module.wrong(DEV))


IN_TWO_PROCESSES = """
import lightning.pytorch as pl
from test_lightning import DATA, DEV, TRAIN, Net
from torch.utils.data import DataLoader, Subset
from wellfit.loops.lightning import DiagnosisCallback

trainer = pl.Trainer(
    accelerator="cpu", devices=2, strategy="ddp_fork", max_epochs=1, logger=False, enable_checkpointing=False,
    enable_progress_bar=False, callbacks=[DiagnosisCallback()],
)
trainer.fit(Net(), DataLoader(Subset(DATA, TRAIN), 50), DataLoader(Subset(DATA, DEV), 50))
"""


def test_a_fit_in_two_processes_is_refused(tmp_path):
    (tmp_path / "two.py").write_text(IN_TWO_PROCESSES)
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    found = subprocess.run(
        [sys.executable, str(tmp_path / "two.py")],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode != 0
    assert "found 2 processes, each with its share of the rows" in found.stderr, found.stderr[-2000:]
