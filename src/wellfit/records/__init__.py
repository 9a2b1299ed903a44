"""What every stage speaks of: configs, knobs, goals, gaps, outcomes. Plain values, no work."""
