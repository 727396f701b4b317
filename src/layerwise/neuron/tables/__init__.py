"""Activations, losses, penalties and schedules as tables of value, derivative and facts."""
