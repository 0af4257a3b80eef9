"""Triton kernels for CUDA devices; the torch provider imports them when it meets the first CUDA tensor."""
