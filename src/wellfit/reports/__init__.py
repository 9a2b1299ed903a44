"""Reports: the journal folded into numbers, then into a page and into text. Never imports torch."""
