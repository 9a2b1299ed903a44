"""What every module stands on: types, files, JSON, compiled functions."""
