"""Signals that have asked this program to stop.

A signal interrupts what the main thread is doing. Where Python ignores exceptions, as when an object goes
away while modules are imported, or where an extension does, the interruption comes to nothing: early in a
run, one in a hundred. So whatever takes long asks here as well.
"""

from __future__ import annotations

received_signals: list[int] = []
"""Their numbers, as they came; whoever catches signals keeps it."""


def raise_if_cancelled() -> None:
    """Interrupts again where a signal has asked for it.

    Raises:
        KeyboardInterrupt: One has.
    """
    if received_signals:
        raise KeyboardInterrupt
