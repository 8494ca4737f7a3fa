"""Training: state, schedule, averaging, the one loop, processes, callbacks."""
