"""What the teaching commands show: a neuron that learns, its gradients, its noise, backpropagation, depth."""
