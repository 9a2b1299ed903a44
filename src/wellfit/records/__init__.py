"""The records that every stage uses: configs, knobs, goals, gaps, outcomes. Plain values only."""
