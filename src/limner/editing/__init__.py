"""Directions in the latent spaces that change one thing in a picture: one way to find them a file."""
