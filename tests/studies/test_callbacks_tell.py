"""In Lightning and skorch the diagnosis callback tells the trial by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import wellfit as wf

X, y = make_moons(400, noise=0.2, random_state=0)
X = X.astype(np.float32)


def _study(folder):
    return wf.Study(folder / "s.wellfit", knobs={"width": wf.size(2, 64)}, human_error=0.02, budget="3fits")


def test_skorch_tells(tmp_path):
    skorch = pytest.importorskip("skorch")
    from skorch.helper import predefined_split

    from wellfit.loops.skorch import DiagnosisCallback

    study = _study(tmp_path)
    dev = predefined_split(skorch.dataset.Dataset(X[200:], y[200:]))
    while trial := study.ask():
        torch.manual_seed(0)
        width = trial.knobs["width"]
        skorch.NeuralNetClassifier(
            nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2)),
            criterion=nn.CrossEntropyLoss,
            train_split=dev,
            max_epochs=3,
            verbose=0,
            callbacks=[DiagnosisCallback(trial=trial, write=lambda _text: None)],
        ).fit(X[:200], y[:200])
    body = study.to_json()
    assert body["fits"] >= 2
    assert body["errors"]["dev"]["rows"] == 200


@pytest.mark.filterwarnings("ignore")
def test_lightning_tells(tmp_path):
    lightning = pytest.importorskip("lightning")
    from wellfit.loops.lightning import DiagnosisCallback

    class Net(lightning.LightningModule):
        def __init__(self, width):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2))

        def forward(self, inputs):
            return self.net(inputs)

        def training_step(self, batch, _index):
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        def validation_step(self, batch, _index):
            self(batch[0])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=1e-2)

    def loader(rows):
        return DataLoader(TensorDataset(torch.tensor(X[rows]), torch.tensor(y[rows])), batch_size=50)

    study = _study(tmp_path)
    trial = study.ask()
    lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[DiagnosisCallback(trial=trial, write=lambda _text: None)],
    ).fit(Net(trial.knobs["width"]), loader(slice(200)), loader(slice(200, None)))
    assert study.to_json()["fits"] == 1
    assert study.ask().number == 2
