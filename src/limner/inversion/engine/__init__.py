"""What the inversion methods share: codes and their starts, the loss of pictures, descent, noise maps, numbers."""
