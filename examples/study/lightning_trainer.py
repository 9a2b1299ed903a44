"""A study of a Lightning module."""

from __future__ import annotations

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import wellfit as wf

X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)
TRAIN = 600


class Digits(lightning.LightningModule):
    """One hidden layer."""

    def __init__(self, knobs: wf.Knobs) -> None:
        super().__init__()
        self.knobs = knobs
        self.net = nn.Sequential(nn.Linear(64, knobs["width"]), nn.ReLU(), nn.Linear(knobs["width"], 10))

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _index: int) -> torch.Tensor:
        """Return the loss of a batch."""
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW, with lambda as weight decay."""
        groups = wf.param_groups(self.net, l2=self.knobs["l2"], rows=TRAIN)
        return torch.optim.AdamW(groups, lr=self.knobs["lr"])


def fit(knobs: wf.Knobs) -> wf.Fit:
    """Train once."""
    lightning.seed_everything(knobs.seed, verbose=False)
    module = Digits(knobs)
    trainer = lightning.Trainer(
        max_epochs=knobs["epochs"],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(TensorDataset(X[:TRAIN], y[:TRAIN]), batch_size=32, shuffle=True))
    module.eval()
    with torch.no_grad():
        p = torch.softmax(module.net(X).double(), dim=1).numpy()
    return wf.Fit(train=(y[:TRAIN], p[:TRAIN]), dev=(y[TRAIN:], p[TRAIN:]))


if __name__ == "__main__":
    study = wf.Study(
        "lightning_trainer.wellfit",
        human_error=0.01,
        knobs={
            "width": wf.size(4, 256),
            "epochs": wf.epochs(2, 40),
            "lr": wf.learning_rate(1e-4, 1e-1),
            "l2": wf.decay(rows=TRAIN),
        },
    )
    study.run(fit, budget="8fits")
    print(study)
