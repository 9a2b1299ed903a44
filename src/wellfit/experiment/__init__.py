"""An experiment: one folder that holds the split, the sealed test, the journal, the models and the report."""
