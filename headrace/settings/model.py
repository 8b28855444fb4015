"""Every knob of Headrace, read from `HEADRACE_*` environment variables in one place."""

import os
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from headrace.arrays import DEMAND_SPAN
from headrace.connections.files import PemFiles, secret
from headrace.connections.kafka import KafkaConnection, KafkaSecurity, SaslMechanism, kafka_connection
from headrace.connections.redis import RedisConnection, redis_connection
from headrace.connections.triton import TritonConnection, triton_connection
from headrace.errors import SettingsError
from headrace.messages.events import EventType
from headrace.reason_texts import reason_texts
from headrace.settings.environment import PREFIX, check_environment
from headrace.settings.lists import Categories, Diversities, Lengths, ListRule, PerTrigger
from headrace.settings.values import DurationMs, Switch, TimeMs

_GROUP = r"^[a-zA-Z0-9_-]{1,80}$"
_TOPIC_PREFIX = r"^[a-zA-Z0-9._-]{0,100}$"
TRIGGERS = (EventType.VIEW, EventType.ADD_TO_CART, EventType.PURCHASE, EventType.SEARCH)


class Exclude(StrEnum):
    """What is never recommended."""

    AUTO = "auto"
    CURRENT = "current"
    PURCHASED = "purchased"
    SEEN = "seen"
    NONE = "none"


class Durable(StrEnum):
    """Whether offsets wait until the online store has its writes on disk."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Compression(StrEnum):
    """How a worker's batches are compressed."""

    NONE = "none"
    GZIP = "gzip"
    LZ4 = "lz4"
    SNAPPY = "snappy"
    ZSTD = "zstd"


class LogForm(StrEnum):
    """What a line of the log is."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """What is worth a line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseSettings):
    """The settings of CONTRACT, with their defaults. Durations are milliseconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    home: Path = Field(Path(".headrace"), description="everything the local stack writes")
    kafka: str | None = Field(None, description="bootstrap servers; set: use that cluster, start none")
    kafka_security: KafkaSecurity = Field(
        KafkaSecurity.PLAINTEXT, description="plaintext, tls, sasl_plaintext or sasl_tls"
    )
    kafka_sasl_mechanism: SaslMechanism | None = Field(
        None, description="with sasl: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    kafka_username: str | None = Field(None, description="with sasl: the user")
    kafka_password: SecretStr | None = Field(None, description="with sasl: the password")
    kafka_password_file: Path | None = Field(None, description="or a file that holds it")
    kafka_ca: Path | None = Field(
        None, description="with tls: PEM file of the authorities to trust; default: the system's"
    )
    kafka_cert: Path | None = Field(
        None, description="with tls: PEM file of the client's certificate, where brokers ask"
    )
    kafka_key: Path | None = Field(None, description="and of its private key, without a passphrase")
    # Not shown with the settings: it may hold a password, and so may the headers.
    redis: str | None = Field(
        None,
        repr=False,
        description="Redis or Valkey: host, host:port, host:port,option=value,… or a redis:// or rediss:// URL; "
        "set: use it, start none",
    )
    redis_password_file: Path | None = Field(None, description="a file that holds its password")
    triton: str | None = Field(None, description="Triton gRPC host:port; set: use it, start none")
    triton_tls: Switch = Field(False, description="on: over TLS")
    triton_ca: Path | None = Field(None, description="with TLS: PEM file of the authorities to trust")
    triton_headers: str | None = Field(None, repr=False, description="name=value,… sent with every call")
    port_offset: int = Field(0, ge=0, le=40_000, description="added to every local default port")
    data: Path = Field(Path("../shared/data"), description="public data sets for measuring")
    metrics_port: int = Field(
        19_100,
        ge=0,
        le=65_535,
        description="Prometheus endpoint of a worker; 0 = off; the default moves with HEADRACE_PORT_OFFSET",
    )
    log: LogForm = Field(LogForm.TEXT, description="how workers log: text, or json, one object a line")
    log_level: LogLevel = Field(LogLevel.INFO, description="debug: with the ids of every event that is answered")
    traces: str | None = Field(
        None,
        pattern=r"^https?://",
        description="OTLP/HTTP endpoint that takes spans, such as http://host:4318/v1/traces",
    )
    chunk: int = Field(512, ge=1, le=100_000, description="most records in a batch")
    chunk_bytes: int = Field(4_194_304, ge=1_024, description="and most bytes")
    group: str = Field(
        "headrace",
        pattern=_GROUP,
        description="Faust app id, consumer group, Feast project",
    )
    topic_prefix: str = Field(
        "",
        pattern=_TOPIC_PREFIX,
        description="before every topic's name on the cluster, internal ones included: letters, digits, . _ and -",
    )
    answer_again: Switch = Field(
        False,
        description="on: a new group beside another on the same topics begins at once to answer all of them again",
    )
    rebuild_of: str | None = Field(
        None, pattern=_GROUP, description="group whose outputs are not emitted again (`headrace rebuild`)"
    )
    catching_up: Switch = Field(
        False, description="on for the workers of `headrace rebuild`: no score request answered, no popularity counted"
    )
    partitions: int = Field(4, ge=1, le=1_000, description="of topics that `up` or `topics create` makes")
    replication: int = Field(1, ge=1, le=10, description="of topics that `up` or `topics create` makes")
    model_repo: Path | None = Field(None, description="where versions are published; default under HOME")
    window: DurationMs = Field(3_600_000, ge=1_000, description="demand window")
    timezone: str = Field("UTC", description="where a demand window of whole days begins, such as Europe/Berlin")
    lateness: DurationMs = Field(600_000, ge=0, description="how late an event may come")
    horizon: int = Field(DEMAND_SPAN, ge=DEMAND_SPAN, le=84, description="windows that a trained version forecasts")
    quantiles: Annotated[tuple[float, ...], NoDecode] = Field(
        (0.1, 0.5, 0.9), description="levels of the forecasts, between 0.01 and 0.99"
    )
    lead_time: DurationMs = Field(
        4 * 3_600_000, ge=1_000, description="time from ordering stock to having it, for stock advice"
    )
    false_alarms: float = Field(
        1e-6, ge=1e-9, le=0.1, description="share of selling items' windows that may open an alert in quiet times"
    )
    service_level: float = Field(0.95, ge=0.5, le=0.999, description="chance that stock lasts through the lead time")
    scenarios: Annotated[frozenset[str] | None, NoDecode] = Field(
        None, description="scenarios that run, by name; default all that are installed"
    )
    triggers: Annotated[frozenset[EventType], NoDecode] = Field(
        frozenset(TRIGGERS), description="events answered with recommendations"
    )
    exclude: Exclude = Field(
        Exclude.AUTO,
        description="what is never recommended: `auto` (the event's item, what the shopper had to do with in the last "
        "five minutes, and what was bought unless its kind is bought again in this shop), `current` (the event's "
        "item), `purchased`, `seen` (each with the event's item), `none`",
    )
    reasons: str = Field("en", description="what reasons say: en, de, zh, or a TOML file with texts of your own")
    list: Lengths = Field(
        PerTrigger(20, {}), description="items of a list, 1 to 100; for some triggers apart: `20,search=50`"
    )
    diversity: Diversities = Field(
        PerTrigger(None, {}),
        description="0 to 1, how much less of the same a list holds; default the version's; `0.3,view=0` likewise",
    )
    list_categories: Categories = Field(
        PerTrigger((), {}),
        description="categories that lists are held to: `any`, `same` (as the event's item), or names between `|`; "
        "`view=same,search=Kitchen|Dining` likewise",
    )
    trending: Switch = Field(True, description="live popularity in scores and fallbacks; off: exact replay")
    # What is answered goes into `feature.log`, whose messages the broker bounds as it does all others.
    max_event_bytes: int = Field(
        262_144, ge=256, le=4_194_304, description="a larger input is a dead letter; 4 MB at most"
    )
    future: DurationMs = Field(3_600_000, ge=0, description="how far an event's time may lie past its append")
    past: TimeMs = Field(
        946_684_800_000, ge=0, description="an earlier event time is a dead letter: it may be in seconds"
    )
    compression: Compression = Field(
        Compression.SNAPPY, description="of outputs and of internal topics: none, gzip, lz4, snappy or zstd"
    )
    feature_log: float = Field(1.0, ge=0, le=1, description="share of outputs with a `feature.log` record")
    durable: Durable = Field(Durable.AUTO, description="wait for the store's disk before committing")
    durable_replicas: int = Field(
        0, ge=0, le=10, description="replicas of the store that must have a write in memory before its commit"
    )
    deadline: DurationMs = Field(2_000, ge=10, description="base time a model call may take")
    idle: DurationMs = Field(
        30_000,
        ge=100,
        description="a partition whose watermark stands still so long holds no window back",
    )

    @field_validator("scenarios", "triggers", "quantiles", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("triggers")
    @classmethod
    def _known(cls, value: frozenset[EventType]) -> frozenset[EventType]:
        if EventType.IMPRESSION in value:
            raise ValueError("any event types but impression, which is answered with CTR scores")
        return value

    @field_validator("quantiles")
    @classmethod
    def _levels(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or any(not 0.01 <= level <= 0.99 for level in value) or list(value) != sorted(set(value)):
            raise ValueError("increasing levels between 0.01 and 0.99, such as 0.1,0.5,0.9")
        return value

    @field_validator("timezone")
    @classmethod
    def _place(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("a place of the IANA database, such as UTC or Europe/Berlin") from error
        return value

    def list_rule(self, kind: EventType) -> ListRule:
        """What the list that answers a trigger is to be."""
        return ListRule(self.list.of(kind), self.diversity.of(kind), self.list_categories.of(kind))

    @property
    def holds_to_categories(self) -> bool:
        """Whether some lists are held to categories."""
        return any(self.list_categories.values())

    def port(self, default: int) -> int:
        """A local server's port: its default moved by `HEADRACE_PORT_OFFSET`."""
        return default + self.port_offset

    @property
    def metrics_from(self) -> int:
        """The port that the first worker's metrics take, 0 for none: the default moves as the servers' ports do."""
        return self.metrics_port if "metrics_port" in self.model_fields_set else self.port(self.metrics_port)

    @property
    def kafka_connection(self) -> KafkaConnection:
        """How Kafka is reached.

        Raises:
            SettingsError: what is set does not agree, or a file does not hold what it should.
        """
        if not self.kafka and self.kafka_security is not KafkaSecurity.PLAINTEXT:
            raise _without("HEADRACE_KAFKA_SECURITY", "HEADRACE_KAFKA")
        return kafka_connection(
            self.kafka or f"127.0.0.1:{self.port(19_092)}",
            self.kafka_security,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username,
            password=secret("HEADRACE_KAFKA_PASSWORD", self.kafka_password, self.kafka_password_file),
            files=PemFiles(self.kafka_ca, self.kafka_cert, self.kafka_key),
            prefix=self.topic_prefix,
        )

    @property
    def redis_connection(self) -> RedisConnection:
        """How the online store is reached; raises as `kafka_connection` does."""
        if not self.redis and self.redis_password_file is not None:
            raise _without("HEADRACE_REDIS_PASSWORD_FILE", "HEADRACE_REDIS")
        return redis_connection(self.redis or f"127.0.0.1:{self.port(16_379)}", self.redis_password_file)

    @property
    def triton_connection(self) -> TritonConnection:
        """How Triton is reached; raises as `kafka_connection` does."""
        if not self.triton and self.triton_tls:
            raise _without("HEADRACE_TRITON_TLS", "HEADRACE_TRITON")
        return triton_connection(
            self.triton or f"127.0.0.1:{self.port(18_001)}",
            tls=self.triton_tls,
            ca=self.triton_ca,
            headers=self.triton_headers,
        )

    @property
    def kafka_address(self) -> str:
        """Where Kafka is, for people: clients take `kafka_connection`."""
        return self.kafka_connection.address

    @property
    def redis_address(self) -> str:
        """Where the online store is, for people: clients take `redis_connection`."""
        return self.redis_connection.address

    @property
    def triton_address(self) -> str:
        """Where Triton is, for people: clients take `triton_connection`."""
        return self.triton_connection.address

    @property
    def models(self) -> Path:
        """The model repository's folder."""
        return self.model_repo or self.home / "models"


def check_variables() -> None:
    """See that every `HEADRACE_…` variable is a setting and holds something.

    Raises:
        SettingsError: naming those that do not, and the nearest setting.
    """
    check_environment(os.environ, _names())


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: naming the variable, its value and what is allowed.
    """
    check_variables()
    try:
        found = Settings()  # pyright: ignore[reportCallIssue]  (fields come from the environment)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error
    # They agree, and files hold what they should.
    reason_texts(found.reasons)
    for connection in (found.kafka_connection, found.redis_connection, found.triton_connection):
        connection.options()
    return found


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once."""
    return load_settings()


def _names() -> list[str]:
    return [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]


def _without(variable: str, server: str) -> SettingsError:
    return SettingsError(f"{variable} is set, and {server} is not: name the server, the local one has no such thing.")


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    name = f"HEADRACE_{str(first['loc'][0]).upper()}"
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{name}={os.environ.get(name, first['input'])!r} is not allowed: it must be {message}."


def describe(render: Callable[[str, Any, str], str]) -> list[str]:
    """One rendered line for each setting: name, default, meaning (for the reference documentation)."""
    fields = Settings.model_fields.values()
    return [render(name, field.default, field.description or "") for name, field in zip(_names(), fields, strict=True)]
