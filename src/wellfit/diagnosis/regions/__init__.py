"""Regions in which a network underfits or overfits: found on one half of the rows, tested on the other."""
