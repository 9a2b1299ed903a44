"""deepchecks' train-test validation suite on train and dev: `train_test_rival.py FOLDER`, in an environment with it.

Prints its processor seconds, without reading and without imports, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd
from deepchecks.tabular import Dataset
from deepchecks.tabular.suites import train_test_validation


def main() -> None:
    folder = Path(sys.argv[1])
    train, dev = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "dev"))
    categories = [name for name in train.columns if name != "y" and train[name].dtype == object]
    sets = [Dataset(part, label="y", cat_features=categories) for part in (train, dev)]
    began = time.process_time()
    train_test_validation().run(*sets)
    print(json.dumps({"seconds": time.process_time() - began}))


if __name__ == "__main__":
    main()
