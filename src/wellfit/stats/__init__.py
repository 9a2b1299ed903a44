"""Plain statistics: intervals, scores of predictions, sample sizes, multiplicity. Anyone may import it."""
