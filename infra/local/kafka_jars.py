"""Apache Kafka's jars from Maven Central, downloaded once a user and shared by every `HEADRACE_HOME`."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from headrace.errors import StackError
from infra.local.lock import exclusive
from infra.local.server import OnProgress

VERSION = "4.1.2"
_KAFKA = ("org.apache.kafka", "kafka_2.13", VERSION)
#: The published jar logs through SLF4J 1.7 and brings no binding: without one, a broker dies in silence.
_LOGGING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.3")
_TRIES = 3
#: Of all jars that VERSION and its logging bring: a new version needs a new list.
_SUMS = Path(__file__).with_name("kafka_jars.sha256")


def kafka_jars(on_progress: OnProgress) -> Path:
    """The folder of the jars, downloaded first if this user has none yet (about 45 MB), or others than were tested.

    Raises:
        StackError: Maven Central cannot be reached, or sends other files.
    """
    cache = Path.home() / ".cache" / "headrace"
    folder = cache / f"kafka-{VERSION}"
    if not folder.is_dir() or wrong_jars(folder):
        with exclusive(cache / "kafka.lock", lambda: on_progress("waiting for another download of Kafka")):
            if folder.is_dir() and (wrong := wrong_jars(folder)):
                on_progress(f"{wrong[0]} is not the jar that was tested: fetching Kafka again")
                shutil.rmtree(folder)
            if not folder.is_dir():
                _download(folder, on_progress)
    return folder


def wrong_jars(folder: Path, tested: Mapping[str, str] | None = None) -> list[str]:
    """Jars that are missing, too many, or whose content is not what was tested; by name."""
    tested = tested if tested is not None else _tested()
    found = {path.name: _sha256(path) for path in folder.glob("*.jar")}
    return sorted(name for name in found.keys() | tested.keys() if found.get(name) != tested.get(name))


def _download(folder: Path, on_progress: OnProgress) -> None:
    for left in reversed(range(_TRIES)):
        on_progress(f"downloading Kafka {VERSION} (45 MB, once)")
        try:
            # In a place of its own, renamed when complete: an interrupted download is never taken for jars.
            partial = folder.with_suffix(".part")
            shutil.rmtree(partial, ignore_errors=True)
            _fetch(partial, on_progress)
            if wrong := wrong_jars(partial / "jars"):
                shutil.rmtree(partial)
                raise StackError(
                    f"Kafka {VERSION} was downloaded and deleted again: {wrong[0]} is not the file that was tested "
                    f"(its SHA-256 is another than in {_SUMS.name}). Find out who answers for Maven Central, or set "
                    "HEADRACE_KAFKA to use a cluster that runs."
                )
            (partial / "jars").rename(folder)
            shutil.rmtree(partial)
        except (OSError, RuntimeError) as error:
            if not left:
                raise StackError(
                    f"Kafka {VERSION} could not be downloaded from Maven Central ({error}): check the "
                    "network and try again, or set HEADRACE_KAFKA to use a cluster that runs."
                ) from error
        else:
            return


def _tested() -> dict[str, str]:
    """SHA-256 of every jar by name, as `sha256sum` writes it."""
    pairs = (line.split() for line in _SUMS.read_text("ascii").splitlines())
    return {name: digest for digest, name in pairs}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(partial: Path, on_progress: OnProgress) -> None:
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    context = MavenContext(repo_cache=partial / "maven", timeout=30)
    # Raw: the versions that Log4j's own project manages, an old kafka-clients among them, must not rule Kafka's.
    coordinates = (Coordinate(*_KAFKA, scope="compile"), Coordinate(*_LOGGING, scope="compile", raw=True))
    wanted = [context.create_dependency(coordinate) for coordinate in coordinates]
    inputs, transitive = context.resolver.resolve(wanted)
    needed = [*inputs, *(d for d in transitive if d.scope in {"compile", "runtime"})]
    jars = partial / "jars"
    jars.mkdir()
    for number, dependency in enumerate(needed, start=1):
        on_progress(f"downloading Kafka {VERSION}: file {number} of {len(needed)}")
        jar = dependency.artifact.resolve()
        jar.rename(jars / jar.name)
