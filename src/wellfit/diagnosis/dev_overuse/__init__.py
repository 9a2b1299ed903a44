"""How much choosing on dev has cost dev: the corrected score, and the decisions that are left."""
