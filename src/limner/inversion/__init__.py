"""From pictures back to latents: one method a file."""
