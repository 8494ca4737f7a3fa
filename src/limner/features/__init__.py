"""Networks that see: from pictures to features for metrics, and to perceptual distances."""
