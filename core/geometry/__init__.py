"""The sphere, pinhole cameras at its centre, resampling between them: the one place where directions meet pixels."""
