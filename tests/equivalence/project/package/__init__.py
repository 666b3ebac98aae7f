"""Takes as long to import as something real."""

import asyncio
import time
import unittest.mock
import warnings

_began = time.perf_counter()
while time.perf_counter() - _began < 0.3:
    pass
del _began
warnings.warn("package is old", DeprecationWarning, stacklevel=2)
MOCK = unittest.mock.sentinel.package
LOOP = asyncio.AbstractEventLoop
