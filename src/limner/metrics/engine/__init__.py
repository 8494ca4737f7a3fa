"""What all metrics share: sources of pictures, statistics of sets, collecting them in one pass, keeping them."""
