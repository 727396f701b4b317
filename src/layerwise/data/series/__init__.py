"""Series of numbers over time: labelled ones, and one long series that is forecast."""
