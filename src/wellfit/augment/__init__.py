"""Random changes to pictures, compiled; every picture has its own parameters."""
