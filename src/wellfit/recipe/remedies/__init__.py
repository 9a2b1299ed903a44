"""Remedies as values: what each is for, what it costs, what it buys, how it is carried out and judged."""
