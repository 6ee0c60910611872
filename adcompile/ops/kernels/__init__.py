"""Functions that neither `math` nor NumPy has, in plain Python on float64 numbers.

The source of a kernel, and of the functions and constants it reads, goes into each compiled module
that calls it; so a kernel uses arithmetic, `math`, loops and tuples of numbers only. The compiler
may reassociate sums: no kernel relies on the order of additions.
"""
