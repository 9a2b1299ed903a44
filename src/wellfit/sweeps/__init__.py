"""Sweeps: which configs to try, who trains them, which one to keep."""
