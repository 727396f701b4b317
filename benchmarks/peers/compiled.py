"""The best hand-written loop with its network through torch.compile, which happens in the warm-up."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from peers import handwritten


class Loop(handwritten.Loop):
    compiled: Any = None

    def prepare(self, network: nn.Module) -> nn.Module:
        """Return the network that was compiled in the first round, with the first weights in it once more."""
        if self.compiled is None:
            self.own, self.compiled = network, torch.compile(network)
        else:
            self.own.load_state_dict(network.state_dict())
        self.network = self.own
        return self.compiled

    def _faster_layout(self) -> torch.memory_format:
        return torch.contiguous_format  # the compiler arranges the memory of convolutions itself
