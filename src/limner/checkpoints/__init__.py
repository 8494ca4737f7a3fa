"""Weights and training states on disk: `io` holds the native snapshot format, `state` what resuming needs."""
