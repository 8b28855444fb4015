"""Every error Headrace raises on purpose, as one tree.

HeadraceError
├── UsageError            wrong command line, setting or input file        exit 2
│   ├── SettingsError     an environment variable with a bad value
│   └── ScenarioError     an installed scenario that is not well-formed, or does not go with another
├── ScenarioFailed        a scenario's own function raised
├── StackError            a local server that cannot be started or reached exit 1
├── StreamError           a stream or topic that is not what it was
│   ├── TopicChanged      recreated, or its partition count changed
│   ├── TopicMissing      deleted, or never created
│   └── FencedOut         another worker owns the row now
├── StoreError            the online store does not answer
│   └── StoreRefused      it answers, and refuses
├── RowsLost              the online store no longer holds what was folded
│   └── RowsMissing       some rows are gone and the others stand
├── NewerRows             rows that a later version of Headrace has written
├── DamagedRow            a row of which a part is missing
├── ModelError            a model that cannot be trained, exported or served
│   ├── TooLittleData     a stream too short or too empty to learn from
│   ├── ModelUnavailable  Triton is down, or answers no request
│   │   ├── RequestFailed it is there, and answers one request with an error
│   │   └── WrongAnswer   an answer that no version may give
│   └── UnknownBlocks     a served instance does not hold what a request names
├── BadRecord             a record that breaks the contract (→ `dead.letters`)
└── CheckFailed           a command ran, and what it checked does not hold exit 1
"""

from enum import StrEnum


class HeadraceError(Exception):
    """Base of the tree: its text is the one line a user sees."""

    exit_code = 1


class UsageError(HeadraceError):
    """The user asked for something that cannot be done as asked."""

    exit_code = 2


class SettingsError(UsageError):
    """An environment variable holds a value that is not allowed."""


class ScenarioError(UsageError):
    """A scenario cannot be loaded, or is not well-formed, or does not go with another."""


class ScenarioFailed(HeadraceError):
    """A function of a scenario's own raised.

    Attributes:
        scenario: its name.
        step: which of its functions: `fold`, `query`, `output`, `counts` or `on_closed`.
    """

    def __init__(self, scenario: str, step: str, error: Exception) -> None:
        super().__init__(f"scenario {scenario}: its {step} raised {type(error).__name__}: {error}")
        self.scenario = scenario
        self.step = step


class StackError(HeadraceError):
    """A server of the stack cannot be started, reached or stopped."""


class StreamError(HeadraceError):
    """The stream is not what the stored progress says it is."""


class TopicChanged(StreamError):
    """A topic was recreated or its partition count changed under stored fences."""


class TopicMissing(StreamError):
    """A topic does not exist, or is not known to the broker that was asked."""


class FencedOut(StreamError):
    """A row's fence moved: another worker owns the partition now."""


class StoreError(HeadraceError):
    """The online store does not answer, or has lost an operation."""


class StoreRefused(StoreError):
    """The online store answers, and refuses: it is a replica, full, or of another mind about who may do what."""


class RowsLost(HeadraceError):
    """Rows are gone, or older than what was folded: going on would fold into rows that are not whole."""


class RowsMissing(RowsLost):
    """Some rows are gone, evicted or deleted, and no partition's row tells of it."""


class NewerRows(HeadraceError):
    """The online store holds rows that this version cannot read: writing them back would lose what they hold."""


class DamagedRow(HeadraceError):
    """A part of a row is missing: what is folded into the rest would be lost with it."""


class ModelError(HeadraceError):
    """A model cannot be trained, exported, published or served."""


class TooLittleData(ModelError):
    """There is too little to learn from."""


class ModelUnavailable(ModelError):
    """Triton does not answer, or not in time."""


class RequestFailed(ModelUnavailable):
    """The served model answers one request with an error; it may answer others."""


class WrongAnswer(ModelUnavailable):
    """An answer that no version may give.

    Attributes:
        fault: its class, as metrics count it.
    """

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


class UnknownBlocks(ModelError):
    """A served instance does not hold blocks of the catalogue context that a request names.

    Attributes:
        names: of these blocks.
    """

    def __init__(self, names: frozenset[int]) -> None:
        super().__init__(f"{len(names)} blocks of the catalogue context are to be sent again")
        self.names = names


class CheckFailed(HeadraceError):
    """The command ran, and something that it checks does not hold."""


class Reason(StrEnum):
    """Why a record became a dead letter (header `headrace.reason`)."""

    INVALID_JSON = "invalid_json"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_TYPE = "unknown_type"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future"
    PROCESSING_FAILED = "processing_failed"


class BadRecord(HeadraceError):
    """A record breaks the contract.

    Attributes:
        reason: the class of the defect.
        detail: one sentence naming the field.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
