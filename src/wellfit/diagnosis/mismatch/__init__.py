"""Whether two parts come from the same distribution, in which columns they differ, and what that costs."""
