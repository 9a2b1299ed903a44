"""Leakage: rows, near copies, columns, groups and times that training should not share with dev."""
