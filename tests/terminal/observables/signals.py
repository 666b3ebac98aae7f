"""What signals do to the process."""

from __future__ import annotations

import faulthandler
import signal
from typing import Any

from .asking import seen, status


@seen
def signal_handlers() -> Any:
    return {
        int(number): str(signal.getsignal(number)).split(" at ")[0]
        for number in signal.valid_signals()
    }


@seen
def signal_masks_of_the_kernel() -> Any:
    return status("SigQ", "SigBlk", "SigIgn", "SigCgt", "ShdPnd", "SigPnd") | {"SigQ": ""}


@seen
def signal_mask() -> Any:
    return sorted(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, []))


@seen
def wakeup_descriptor() -> Any:
    old = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(old)
    return old


@seen
def timers() -> Any:
    return [signal.getitimer(which) for which in (0, 1, 2)]


@seen
def alternate_signal_stack() -> Any:
    return faulthandler.is_enabled()
