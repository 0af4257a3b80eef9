"""Functions of the residual, as values, and their design on the host."""
