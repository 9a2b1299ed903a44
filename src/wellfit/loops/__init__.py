"""wellfit inside the user's own training loop: decay groups, Monte-Carlo dropout, diagnosis, a sealed test set."""
