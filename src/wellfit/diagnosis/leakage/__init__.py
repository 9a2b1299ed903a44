"""Leakage: rows, near-copies, columns, groups and moments that training should not share with dev."""
