"""Seeds that are hashed of numbers, so that every epoch and every step has its own."""


def derive_seed(*parts: int) -> int:
    """Hash whole numbers to a seed (SplitMix64), so that each epoch and each step has one of its own."""
    word = 0
    for part in parts:
        word = ((word ^ part) + 0x9E3779B97F4A7C15) % 2**64
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
        word ^= word >> 31
    return word >> 1
