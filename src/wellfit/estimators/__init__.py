"""scikit-learn estimators on the fused engine: NetClassifier, NetRegressor, and versions that choose their knobs."""
