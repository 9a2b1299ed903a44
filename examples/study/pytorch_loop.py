"""A study of a plain PyTorch loop."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import nn

import wellfit as wf

X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)
TRAIN = 600


def fit(knobs: wf.Knobs) -> wf.Fit:
    """Train once, and tell the curve too."""
    torch.manual_seed(knobs.seed)
    width, drop = knobs["width"], 1 - knobs["keep_prob"]
    net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Dropout(drop), nn.Linear(width, 10))
    optimizer = torch.optim.AdamW(wf.param_groups(net, l2=knobs["l2"], rows=TRAIN), lr=knobs["lr"])
    curve = []
    for _ in range(knobs["epochs"]):
        net.train()
        for batch in torch.randperm(TRAIN).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(X[batch]), y[batch]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            wrong = net(X).argmax(1) != y
        curve.append((wrong[:TRAIN].float().mean().item(), wrong[TRAIN:].float().mean().item()))
    with torch.no_grad():
        p = torch.softmax(net(X).double(), dim=1).numpy()
    return wf.Fit(train=(y[:TRAIN], p[:TRAIN]), dev=(y[TRAIN:], p[TRAIN:]), curve=curve)


if __name__ == "__main__":
    study = wf.Study(
        "pytorch_loop.wellfit",
        human_error=0.01,
        knobs={
            "width": wf.size(4, 256),
            "epochs": wf.epochs(2, 60),
            "lr": wf.learning_rate(1e-4, 1e-1),
            "l2": wf.decay(rows=TRAIN),
            "keep_prob": wf.keep_prob(0.5),
        },
    )
    study.run(fit, budget="16fits")
    print(study)
