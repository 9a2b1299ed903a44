"""scikit-learn's HalvingRandomSearchCV over MLPClassifier on both cores: `halving_search.py FOLDER SEED CANDIDATES`.

The resource is the number of epochs; candidates are scored by the log-loss of the dev rows. MLPClassifier has neither
dropout nor embeddings: lambda and lr are searched, and every category enters as one-hot. Prints JSON: seconds (without
starting Python), loss.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import loguniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, PredefinedSplit
from sklearn.neural_network import MLPClassifier

CORES = 2


def main() -> None:
    folder, seed, candidates = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    task = json.loads((folder / "task.json").read_text())
    inputs, target, fold = rows_of(folder, levels=task["levels"])
    space = task["space"]
    search = HalvingRandomSearchCV(
        MLPClassifier(tuple(task["widths"]), batch_size=task["batch"], n_iter_no_change=task["epochs"]),
        {
            # (alpha / batch) ||W||^2 / 2 against (lambda / m) ||W||^2 / 2
            "alpha": loguniform(*(bound * task["batch"] / int((fold < 0).sum()) for bound in space["l2"][:2])),
            "learning_rate_init": loguniform(*space["lr"][:2]),
        },
        n_candidates=candidates,
        resource="max_iter",
        min_resources="exhaust",
        max_resources=task["epochs"],
        scoring="neg_log_loss",
        cv=PredefinedSplit(fold),
        refit=False,
        random_state=seed,
        n_jobs=CORES,
    )
    Parallel(n_jobs=CORES)(delayed(warm)() for _ in range(CORES))
    began = time.monotonic()
    search.fit(inputs, target)
    print(json.dumps({"seconds": time.monotonic() - began, "loss": -search.best_score_, "best": search.best_params_}))


def rows_of(folder: Path, *, levels: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs and target of train and dev together, and the fold of each row: -1 in train, 0 in dev."""
    blocks, targets, folds = [], [], []
    for part, fold in (("train", -1), ("dev", 0)):
        with np.load(folder / f"{part}.npz") as arrays:
            codes = arrays["codes"]
            one_hot = [np.eye(count, dtype=np.float32)[codes[:, place]] for place, count in enumerate(levels)]
            blocks.append(np.hstack([arrays["dense"], *one_hot]))
            targets.append(arrays["target"])
            folds.append(np.full(len(codes), fold))
    return np.vstack(blocks), np.concatenate(targets), np.concatenate(folds)


def warm() -> None:
    """Start a worker, and what it imports, before the clock runs."""
    MLPClassifier((2,), max_iter=1).fit([[0.0], [1.0]], [0, 1])


if __name__ == "__main__":
    main()
