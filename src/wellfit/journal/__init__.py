"""The journal: what happened in an experiment, recorded entry by entry, and the arrays of its trained networks."""
