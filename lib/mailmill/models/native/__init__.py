"""The models' inner loops, compiled by Numba. Each has a NumPy reference in `models` that tests compare it with.

Importing a module of this folder loads Numba, so `models` does it inside functions: reading a table or
scoring a logistic regression pays nothing. No kernel starts a thread; all release the interpreter's lock.
"""
