"""evidently's drift preset on train and dev: `drift_rival.py FOLDER`, in an environment with evidently.

Prints its processor seconds, without reading and without imports, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset


def main() -> None:
    folder = Path(sys.argv[1])
    train, dev = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "dev"))
    numbers = list(train.select_dtypes("number").columns)
    definition = DataDefinition(
        numerical_columns=numbers, categorical_columns=[name for name in train.columns if name not in numbers]
    )
    sets = [Dataset.from_pandas(part, data_definition=definition) for part in (dev, train)]
    began = time.process_time()
    Report([DataDriftPreset()]).run(*sets).dict()
    print(json.dumps({"seconds": time.process_time() - began}))


if __name__ == "__main__":
    main()
