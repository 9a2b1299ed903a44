"""Mismatch: two parts from different distributions, the columns in which they differ, and the cost."""
