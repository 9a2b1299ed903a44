"""Remedies as values, each with its gap, its price, its expected gain, and functions that carry it out and judge it."""
