"""Building blocks that three or more networks use identically."""
