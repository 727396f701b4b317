"""The version, apart from the names that the package offers."""

__version__ = "0.1.0"
