"""The exceptions this package raises on purpose: all derive from one base, so a caller can tell ours from a bug."""


class NeuroviewError(Exception):
    """Base of every error raised on purpose; the text says what was given, what was expected and what to do."""


class CheckpointError(NeuroviewError):
    """A model file cannot be used: truncated, of an unknown format, with wrong tensors, or unreasonably large."""


class UnsafePickle(CheckpointError):  # noqa: N818 - named for what it found, as the house says
    """A pickle names code that is not on the allow-list; nothing of it was imported or run."""
