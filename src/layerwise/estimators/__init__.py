"""scikit-learn's face of the neuron and of small networks: estimators for pipelines, grids and frames."""
