"""The public functions: check the input, scale, choose, drive, certify."""
