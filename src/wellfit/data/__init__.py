"""Data: turns files and frames of any kind into arrays, by transforms that are fit on train alone."""
