"""The test server of pytest-fastcollect. Importing this package costs nothing: keep it so."""

__version__ = "0.1.0"
