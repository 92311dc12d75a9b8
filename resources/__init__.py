"""Sample panorama, bundled weights, model cards and the style sheet."""
