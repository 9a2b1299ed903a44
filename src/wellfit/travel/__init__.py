"""Models for use elsewhere: saved as a folder without pickle, exported for other runtimes, and described by a card."""
