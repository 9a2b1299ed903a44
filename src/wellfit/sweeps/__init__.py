"""Sweeps: which configs to try, how to train them, and which one to keep."""
