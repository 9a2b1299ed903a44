"""Is a network able to learn at all? Checks of a network, its loss and its optimizer before anything is trained."""
