"""The journal: what happened in an experiment, appended entry by entry, and the arrays that belong to its trainings."""
