"""Tensor functions and thin layers that the papers share."""
