"""Hermitian products on CPUs, where a library's own product knows no symmetry."""
