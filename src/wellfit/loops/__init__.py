"""Tools for the user's own training loop: decay groups, Monte-Carlo dropout, diagnosis, and a sealed test set."""
