"""Leakage: rows, near copies, columns, groups and times that train should not share with dev."""
