"""The fused engine: a stack of configs trained at once, behind the same contract as the reference loop."""
