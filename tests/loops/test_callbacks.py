"""The callbacks print what the numbers say when they are fed by hand."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import wellfit as wf
from wellfit.exceptions import BadInput

pl = pytest.importorskip("lightning.pytorch")
pytest.importorskip("skorch")

TRAIN, DEV = slice(0, 1_200), slice(1_200, None)
# Lightning and skorch announce what their own next versions change.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{kind}") for kind in ("DeprecationWarning", "FutureWarning", "UserWarning")
]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 10))


def by_hand(net, digits, **options):
    X, y = digits
    net.eval()
    with torch.no_grad():
        pairs = [(y[part].numpy(), net(X[part]).double().softmax(1).numpy()) for part in (TRAIN, DEV)]
    return wf.diagnose_predictions(train=pairs[0], dev=pairs[1], **options)


class Lit(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, place):
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, place):
        self.log("dev", nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), 3e-3)


def trainer(callback):
    return pl.Trainer(
        max_epochs=3,
        callbacks=[callback],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def loader(digits, part, **options):
    X, y = digits
    return DataLoader(TensorDataset(X[part], y[part]), 64, **options)


def test_a_lightning_fit_ends_with_the_diagnosis_of_its_numbers(digits):
    from wellfit.loops.lightning import DiagnosisCallback

    said, module = [], Lit()
    callback = DiagnosisCallback(human_error=0.01, write=said.append)
    # The last batch of a shuffled training loader is dropped; the diagnosis reads every row all the same.
    trainer(callback).fit(module, loader(digits, TRAIN, shuffle=True, drop_last=True), loader(digits, DEV))
    expected = by_hand(module.net, digits, human_error=0.01)
    assert said == [str(expected)]
    assert callback.diagnosis.to_json() == expected.to_json()


def test_a_lightning_fit_without_dev_rows_is_refused_before_it_trains(digits):
    from wellfit.loops.lightning import DiagnosisCallback

    with pytest.raises(BadInput, match="dev rows"):
        trainer(DiagnosisCallback()).fit(Lit(), loader(digits, TRAIN))


def test_a_skorch_fit_ends_with_the_diagnosis_of_its_numbers(digits):
    from sklearn.base import clone
    from skorch import NeuralNetClassifier
    from skorch.helper import predefined_split

    from wellfit.loops.skorch import DiagnosisCallback

    said = []
    X, y = (each.numpy() for each in digits)
    dev = TensorDataset(*(each[DEV] for each in digits))
    net = NeuralNetClassifier(
        network,
        criterion=nn.CrossEntropyLoss,
        max_epochs=3,
        lr=0.1,
        verbose=0,
        train_split=predefined_split(dev),
        callbacks=[DiagnosisCallback(human_error=0.01, write=said.append)],
    )
    net = clone(net, safe=False).fit(X[TRAIN], y[TRAIN])
    assert said[0].splitlines()[2:9] == str(by_hand(net.module_, digits, human_error=0.01)).splitlines()[2:9]


def test_a_skorch_fit_without_dev_rows_is_refused(digits):
    from skorch import NeuralNetClassifier

    from wellfit.loops.skorch import DiagnosisCallback

    net = NeuralNetClassifier(network, train_split=None, max_epochs=1, callbacks=[DiagnosisCallback()], verbose=0)
    with pytest.raises(BadInput, match="dev rows"):
        net.fit(*(each.numpy() for each in digits))
