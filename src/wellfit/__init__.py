"""wellfit gives a neural network the fit it deserves."""
