"""Cooperative cancellation.

Python drops a KeyboardInterrupt that a signal handler raises inside a finalizer, for example when an object
is collected during an import, and so do some extension modules. Early in a run this happened to one signal in
a hundred. Long-running loops therefore call `raise_if_cancelled()` as well.
"""

from __future__ import annotations

received_signals: list[int] = []
"""Signal numbers received so far, oldest first. The signal handler of the command line appends to it."""


def raise_if_cancelled() -> None:
    """Raise an exception if SIGINT or SIGTERM has been received.

    Raises:
        KeyboardInterrupt: If a signal is in `received_signals`.
    """
    if received_signals:
        raise KeyboardInterrupt
