"""Small-scale reproductions: the same training with and without one part of a method, several times, in a table."""
