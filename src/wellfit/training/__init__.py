"""Training one config: the readable reference loop, and the reference models beside it."""
