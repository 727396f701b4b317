"""What libraries have to be told of the processor before they are first imported."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
FIRST_CORE_BYTES = 8192  # the file repeats itself for every core
AVX512 = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}


def prepare(environment: MutableMapping[str, str]) -> None:
    """Set what torch and NumPy read when they are first imported; what the user has set is left as it is.

    Threads that wait for work give their core away; spinning, they can slow a busy machine a hundredfold. OpenBLAS
    takes AMD's newest processors for old ones and leaves half of their speed unused: with the kernels for AVX-512 a
    product of 128x784 and 784x256 numbers took 0.55 of the time.
    """
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if wants_wide_kernels(read_cpu_info()):
        environment.setdefault("OPENBLAS_CORETYPE", "SkylakeX")


def read_cpu_info() -> str:
    """Return what Linux says of the first core; nothing elsewhere."""
    try:
        with CPU_INFO.open(encoding="utf-8", errors="replace") as file:
            return file.read(FIRST_CORE_BYTES)
    except OSError:
        return ""


def wants_wide_kernels(cpu_info: str) -> bool:
    """Tell whether a processor is AMD's and has all of AVX-512 that OpenBLAS's kernels use; Intel's it knows."""
    fields = dict(line.partition(":")[::2] for line in cpu_info.splitlines())
    words = {name.strip(): value.split() for name, value in fields.items()}
    return words.get("vendor_id") == ["AuthenticAMD"] and {*words.get("flags", [])} >= AVX512
