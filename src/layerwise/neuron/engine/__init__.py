"""The dense engine: stacks of dense layers, one network or a population, written out and compiled."""
