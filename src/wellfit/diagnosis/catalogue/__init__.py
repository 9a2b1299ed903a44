"""Every finding that wellfit knows: what it means, how it is computed, what to do."""
