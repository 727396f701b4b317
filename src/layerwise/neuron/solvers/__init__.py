"""Solvers for one neuron with a convex loss."""
