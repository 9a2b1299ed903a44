"""wellfit inside a training loop of the user's own: decay groups, Monte-Carlo dropout, diagnosis, a seal alone."""
