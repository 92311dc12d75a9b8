"""What `panoviewer bench` measures: one module per group, each with a function `measure`."""
