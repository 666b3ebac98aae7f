"""Takes as long to import as something real."""

import asyncio
import time
import unittest.mock
import warnings

time.sleep(0.3)
warnings.warn("package is old", DeprecationWarning, stacklevel=2)
MOCK = unittest.mock.sentinel.package
LOOP = asyncio.AbstractEventLoop
