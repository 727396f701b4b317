"""`python -m layerwise` is the command `layerwise`, and what torchrun starts: torchrun ... -m layerwise train ..."""

from __future__ import annotations

import sys

from layerwise.cli.main import main

sys.exit(main())
