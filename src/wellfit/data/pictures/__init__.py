"""Pictures as one table, with the measures, the label and the pixels (at one size) of each."""
