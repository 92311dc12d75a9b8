"""Training in stages on panoramas without labels: intake, labels, their selection, and again."""
