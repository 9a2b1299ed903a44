"""Checks of whether a network, with its loss and its optimizer, can learn at all, before anything is trained."""
