"""The other side of every benchmark: programs that a user could have run instead of wellfit."""
