"""Measures of how close generated pictures come to real ones: the contract, the runner, and one file a metric."""
