"""What the click segmenter learns from: views with regions, and simulated clicks."""
