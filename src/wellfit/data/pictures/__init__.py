"""Pictures -> one table: what a person can measure of each, its label, and its pixels at one size."""
