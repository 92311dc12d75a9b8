"""What published methods minimise, term by term, on maps of a sphere."""
