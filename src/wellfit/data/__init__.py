"""Data: files and frames of any kind to arrays, by transforms that are fit on train alone."""
