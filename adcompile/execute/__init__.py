"""Source text in, callables out: the only importer of Numba. It never sees a graph."""
