"""One of pytabkit's models on one split: `quality_rival.py FOLDER NAME SEED [EPOCHS]`, in the rivals' environment.

FOLDER holds train, dev and test as Parquet and columns.json; test has no target. Dev is what the model stops early
on, or picks its epoch by, as its authors do. Leaves NAME-SEED.npy, the predictions of the test rows, in FOLDER, and
prints its seconds as JSON.
"""

from __future__ import annotations

import json
import os
import sys
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
    folder, name, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    epochs = {"n_epochs": int(sys.argv[4])} if len(sys.argv) > 4 else {}
    columns = json.loads((folder / "columns.json").read_text())
    train, dev, test = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "dev", "test"))
    model = MODELS[name][columns["task"] == "regression"](
        device="cpu", random_state=seed, n_threads=int(os.environ["OMP_NUM_THREADS"]), n_cv=1, n_refit=0, **epochs
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


if __name__ == "__main__":
    main()
