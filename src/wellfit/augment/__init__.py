"""Random changes of pictures as operations on whole batches: one family a file, every row with its own parameter."""
