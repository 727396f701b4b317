"""A run as a short plain-PyTorch script: the run's own data, one template a task, and the network's own source."""
