"""Plain statistics: intervals, scores of predictions, sample sizes, and multiplicity. Any package may import it."""
