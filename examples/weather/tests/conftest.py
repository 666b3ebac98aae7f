import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def summer() -> pd.DataFrame:
    """Three weeks of hourly readings with one heat wave in the second week."""
    time = pd.date_range("2026-07-01", periods=21 * 24, freq="h")
    day = np.arange(len(time)) // 24
    return pd.DataFrame({"time": time, "celsius": np.where((day >= 8) & (day < 13), 33.0, 24.0)})
