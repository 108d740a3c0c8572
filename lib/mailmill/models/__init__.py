"""Classifiers that train by map and reduce, score row by row, and travel as plain JSON and arrays.

Start at `logistic.fit_logistic`, `forest.fit_forest`, `metrics.evaluate` and `artifact.to_bytes`. No
module here imports an engine: the caller hands one in as a `data.MapReduce`.
"""
