"""The split: the part of each row, the sealed test rows, and the records of their openings."""
