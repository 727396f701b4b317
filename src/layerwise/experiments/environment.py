"""What a run ran on: versions and hardware, nothing that names a person or a path."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

import torch

from layerwise.version import __version__

LIBRARIES = ("torch", "numpy", "scikit-learn", "polars", "pillow", "safetensors")


def environment(device: torch.device) -> dict[str, Any]:
    """Return the facts of this machine that can change a result or its speed."""
    return {
        "layerwise": __version__,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as facts:
            return next((line.split(":", 1)[1].strip() for line in facts if line.startswith("model name")), "")
    except OSError:
        return platform.processor()
