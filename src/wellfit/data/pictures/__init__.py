"""Pictures -> one table: for each its measures, its label, and its pixels at one size."""
