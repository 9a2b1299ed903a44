"""The split: the part to which each row belongs, the sealed test rows, and the records of their openings."""
