"""The artificial neuron: tables of activations, losses and penalties, and stacks of dense layers written out.

Read in this order: activations.py, losses.py, penalties.py (the formulas, one short table each), dense.py (the
forward and the backward pass), optimizers.py (one step of each), network.py (what a user holds), population.py.
"""
