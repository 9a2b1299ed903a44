"""The recipe around a training function, script or program of the user's own."""
