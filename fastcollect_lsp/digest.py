"""BLAKE2 as `hashlib` has it, without loading OpenSSL: that would be a part of every run."""

from __future__ import annotations

try:
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

__all__ = ["blake2b"]
