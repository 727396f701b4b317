"""Tiny networks are fastest on one thread, and several test processes may share the cores."""

import torch

torch.set_num_threads(1)
