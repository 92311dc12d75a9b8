"""Pictures in, panorama metadata, and files that are written whole."""
