"""Tests. A package only at its top, so that two `conftest` modules have two names."""
