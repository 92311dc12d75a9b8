"""Values and functions of PanoViewer: panoramas as functions on directions. No Qt, no windows, no global state."""
