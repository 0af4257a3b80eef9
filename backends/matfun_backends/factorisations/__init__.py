"""Factorisations of NumPy arrays on the threads of NumPy's own BLAS."""
