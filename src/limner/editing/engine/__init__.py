"""What the ways to find directions share: sampled codes, style layers, projection, classifiers, others' files."""
