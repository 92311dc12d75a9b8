"""How a click segmenter learns to follow objects around the sphere: clips, prompts, losses, the scan that judges."""
