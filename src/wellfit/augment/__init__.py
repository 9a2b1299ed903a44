"""Random changes of pictures, compiled; every picture has its own parameters."""
