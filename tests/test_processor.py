"""What libraries are told of the processor before they are imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from layerwise.processor import AVX512, prepare, read_cpu_info, wants_wide_kernels

FLAGS = "fpu sse2 avx2 " + " ".join(sorted(AVX512))


def info(vendor: str, flags: str) -> str:
    return f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: any: processor\nflags\t\t: {flags}\n\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (info("AuthenticAMD", FLAGS), True),
        (info("AuthenticAMD", "fpu sse2 avx2 avx512f"), False),
        (info("GenuineIntel", FLAGS), False),
        ("", False),
        ("processor : 0\nnothing of the kind", False),
    ],
)
def test_wide_kernels_are_for_amd_with_all_of_avx512(text: str, wanted: bool) -> None:
    assert wants_wide_kernels(text) is wanted


def test_what_the_user_has_set_is_left_as_it_is() -> None:
    environment = {"OMP_WAIT_POLICY": "ACTIVE", "OPENBLAS_CORETYPE": "Haswell"}
    prepare(environment)
    assert environment == {"OMP_WAIT_POLICY": "ACTIVE", "OPENBLAS_CORETYPE": "Haswell"}


def test_a_new_process_has_the_kernels_that_suit_this_processor() -> None:
    code = (
        "import layerwise, numpy, threadpoolctl;"
        "print({d.get('architecture') for d in threadpoolctl.threadpool_info() if d['internal_api'] == 'openblas'})"
    )
    clean = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    told = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True).stdout
    assert ("SkylakeX" in told) or not wants_wide_kernels(read_cpu_info())
