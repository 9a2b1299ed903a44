"""Where a network underfits and where it overfits: regions found on one half of the rows, tested on the other."""
