"""Daily temperatures, summarised: a small package that imports something heavy."""

import numpy as np
import pandas as pd


def daily_means(readings: pd.DataFrame) -> pd.Series:
    """The mean of each day's readings; `readings` has the columns `time` and `celsius`."""
    return readings.set_index("time")["celsius"].resample("D").mean()


def heat_waves(means: pd.Series, threshold: float = 30.0, days: int = 3) -> list[pd.Timestamp]:
    """The first day of each run of at least `days` days above `threshold`."""
    hot = (means > threshold).to_numpy().astype(int)
    edges = np.diff(np.concatenate(([0], hot, [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [means.index[start] for start, end in zip(starts, ends) if end - start >= days]
