"""Plain statistics: intervals, scores of predictions, sample sizes, multiplicity. Any package may import it."""
