"""What a researcher needs around the algorithms: gallery, truth, recorded matrices, comparison, plots, command line."""
