"""The module `signal`, without the enumerations around it, whose import takes 8 ms on every start of the executor."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    try:
        import _signal as signal
    except ImportError:
        import signal

__all__ = ["signal"]
