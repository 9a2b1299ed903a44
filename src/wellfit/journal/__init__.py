"""The journal: what happened in an experiment, appended entry by entry, and the arrays of its trained networks."""
