"""Models that travel: saved as a folder without pickle, exported for other runtimes, described by a card."""
