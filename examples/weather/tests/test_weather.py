import pandas as pd
import pytest

from weather import daily_means, heat_waves


def test_one_mean_for_each_day(summer):
    assert len(daily_means(summer)) == 21


def test_heat_wave_is_found(summer):
    assert heat_waves(daily_means(summer)) == [pd.Timestamp("2026-07-09")]


@pytest.mark.parametrize("days", [6, 10])
def test_short_hot_spell_is_no_wave(summer, days):
    assert heat_waves(daily_means(summer), days=days) == []


@pytest.mark.parametrize("threshold", [20.0, 30.0, 35.0], ids=["mild", "hot", "extreme"])
def test_threshold(summer, threshold):
    waves = heat_waves(daily_means(summer), threshold=threshold)
    assert bool(waves) is (threshold < 33.0)
