"""The text of each finding: its meaning, its computation and its remedy."""
