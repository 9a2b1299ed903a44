"""Sources of the optimal error, each with its interval: labels, repeated rows, neighbours, noise variance."""
