"""One of pytabkit's models on one split: `quality_rival.py FOLDER NAME SEED`, in the rivals' environment.

FOLDER holds train, dev and test as Parquet and columns.json; test has no target. Dev is what the model stops early
on, or picks its epoch by, as its authors do. Leaves NAME-SEED.npy, the predictions of the test rows, in FOLDER, and
prints its seconds as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from pytabkit import (
    CatBoost_TD_Classifier,
    CatBoost_TD_Regressor,
    RealMLP_TD_Classifier,
    RealMLP_TD_Regressor,
    TabM_D_Classifier,
    TabM_D_Regressor,
    XGB_TD_Classifier,
    XGB_TD_Regressor,
)

MODELS = {
    "realmlp": (RealMLP_TD_Classifier, RealMLP_TD_Regressor),
    "tabm": (TabM_D_Classifier, TabM_D_Regressor),
    "xgboost": (XGB_TD_Classifier, XGB_TD_Regressor),
    "catboost": (CatBoost_TD_Classifier, CatBoost_TD_Regressor),
}
MISSING = "(missing)"


def main() -> None:
    asked = _asked()
    folder, name, seed = asked.folder, asked.name, asked.seed
    epochs = {"n_epochs": asked.epochs} if asked.epochs else {}
    columns = json.loads((folder / "columns.json").read_text())
    train, dev, test = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "dev", "test"))
    model = MODELS[name][columns["task"] == "regression"](
        device=asked.device,
        random_state=seed,
        n_threads=int(os.environ["OMP_NUM_THREADS"]),
        n_cv=1,
        n_refit=0,
        **epochs,
    )
    numbers, categories = columns["numbers"], columns["categories"]
    medians = train[numbers].median()

    def features(table: pd.DataFrame) -> pd.DataFrame:
        texts = table[categories].astype(object).where(table[categories].notna(), MISSING).astype(str)
        return pd.concat([table[numbers].astype(float).fillna(medians), texts], axis=1)

    target = columns["target"]
    began = time.monotonic()
    model.fit(
        features(train),
        train[target].to_numpy(),
        X_val=features(dev),
        y_val=dev[target].to_numpy(),
        cat_col_names=categories,
    )
    fitted = time.monotonic()
    predicted = np.asarray(model.predict(features(test)))
    np.save(folder / f"{name}-{seed}.npy", predicted.astype(str if predicted.dtype == object else predicted.dtype))
    print(json.dumps({"seconds": fitted - began, "predict_seconds": time.monotonic() - fitted}))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", choices=MODELS)
    parser.add_argument("seed", type=int)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--epochs", type=int, help="fewer than the model's own, to try things out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
