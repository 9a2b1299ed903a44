"""scikit-learn estimators on the fused engine: NetClassifier, NetRegressor, and the ones that choose their knobs."""
