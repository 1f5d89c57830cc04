"""What the client raises; all of it derives from `TrainingDayError`."""

from __future__ import annotations

__all__ = [
    "CacheRefusedError",
    "CacheWarning",
    "FingerprintError",
    "LaneError",
    "MalformedRecordError",
    "NodeGoneError",
    "PlanError",
    "RandomTransformError",
    "ShardedTwiceError",
    "SourceMismatch",
    "TrainingDayError",
    "UnsupportedTypeError",
]


class TrainingDayError(Exception):
    """The root of all errors of this package."""


class CacheWarning(UserWarning):
    """Said once: training goes on, but not as fast as it might."""


class MalformedRecordError(TrainingDayError, ValueError):
    """Bytes that are no record.

    `offset` is where, counted from the record's first byte; `reason` says what stands there and
    what may.
    """

    def __init__(self, offset: int, what: str, value: object, allowed: str) -> None:
        self.offset = offset
        self.reason = f"{what}={value}, allowed: {allowed}"
        super().__init__(f"malformed record at byte {offset}: {self.reason}")


class UnsupportedTypeError(TrainingDayError, TypeError):
    """A sample holds something that cannot be stored."""


class NodeGoneError(TrainingDayError, ConnectionError):
    """The connection to the node is of no more use; samples come from the origin."""


class LaneError(TrainingDayError):
    """The node answered with an error; what kind, `contract/lane.md` says."""

    def __init__(self, code: int, retryable: bool, message: str) -> None:
        self.code = code
        self.retryable = retryable
        self.message = message
        super().__init__(message)


class CacheRefusedError(TrainingDayError):
    """The node does not serve the data set or a record this way, and will not later either."""


class SourceMismatch(CacheRefusedError):
    """The name is taken by a data set made of something else; the message names both."""


class FingerprintError(TrainingDayError):
    """The pipeline holds something whose changes could not be noticed."""


class RandomTransformError(TrainingDayError):
    """The pipeline is random; what came out of it once must not be served for good."""


class PlanError(TrainingDayError):
    """The plan of an epoch cannot be had, or is not that of the other ranks or of the state."""


class ShardedTwiceError(PlanError):
    """Something gives each rank a share of what is its share already."""
