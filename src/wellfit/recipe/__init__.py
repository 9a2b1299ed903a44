"""The recipe: diagnose, turn one board, compare, diagnose again."""
