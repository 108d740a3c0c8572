"""Ctrl-C: said once, in plain words, and never lost.

Python raises KeyboardInterrupt wherever the main thread happens to be. Where that is a finaliser or a callback of a
library, Python prints or drops it and the run goes on. So it is remembered too, and the next publication asks.
"""

from __future__ import annotations

import logging
import signal
import threading

_struck = threading.Event()


def install() -> None:
    """Take SIGINT from here on."""
    signal.signal(signal.SIGINT, strike)


def strike(*_: object) -> None:
    """What SIGINT does. What Dask, Spark and Py4J log of being stopped would bury the two lines that people need."""
    _struck.set()
    logging.disable(logging.CRITICAL)
    raise KeyboardInterrupt


def check() -> None:
    """Raise KeyboardInterrupt where there was one, whatever has become of it."""
    if _struck.is_set():
        raise KeyboardInterrupt
