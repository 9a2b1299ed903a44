"""The split: which row goes where, the sealed test rows, and the records of their openings."""
