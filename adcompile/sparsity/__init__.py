"""Sparse derivatives: which elements depend on which, and in how few sweeps that is computed."""
