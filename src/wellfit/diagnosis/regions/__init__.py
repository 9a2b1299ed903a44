"""Where a network under-fits and where it over-fits: regions found on one half of the rows, tested on the other."""
