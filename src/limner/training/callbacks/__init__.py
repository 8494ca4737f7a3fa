"""What is written during a run: one file a callback, the file name is its name in `callbacks.names`."""
