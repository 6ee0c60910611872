"""Graphs in, Python source text out; this stage knows nothing of Numba."""
