"""Triton kernels for CUDA devices; imported by the torch provider when it meets the first tensor that they may serve."""
