"""Functions that descent goes down: expressions, costs, their curvature, and the chain rule."""
