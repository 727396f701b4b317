"""Turning a trained network into samples: decoding of texts, walks and grids of generated pictures."""
