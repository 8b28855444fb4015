"""Apache Kafka's jars from Maven Central, downloaded once a user and shared by every `HEADRACE_HOME`."""

import shutil
from pathlib import Path

from infra.local.lock import exclusive
from infra.local.server import Tell
from streams.errors import StackError

VERSION = "4.1.2"
_KAFKA = ("org.apache.kafka", "kafka_2.13", VERSION)
#: The published jar logs through SLF4J 1.7 and brings no binding: without one, a broker dies in silence.
_LOGGING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.3")
_TRIES = 3


def kafka_jars(tell: Tell) -> Path:
    """The folder of the jars, downloaded first if this user has none yet (about 45 MB).

    Raises:
        StackError: Maven Central cannot be reached.
    """
    cache = Path.home() / ".cache" / "headrace"
    folder = cache / f"kafka-{VERSION}"
    if not folder.is_dir():
        with exclusive(cache / "kafka.lock", lambda: tell("waiting for another download of Kafka")):
            if not folder.is_dir():
                _download(folder, tell)
    return folder


def _download(folder: Path, tell: Tell) -> None:
    for left in reversed(range(_TRIES)):
        tell(f"downloading Kafka {VERSION} (45 MB, once)")
        try:
            # In a place of its own, renamed when complete: an interrupted download is never taken for jars.
            partial = folder.with_suffix(".part")
            shutil.rmtree(partial, ignore_errors=True)
            _fetch(partial, tell)
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


def _fetch(partial: Path, tell: Tell) -> None:
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
        tell(f"downloading Kafka {VERSION}: file {number} of {len(needed)}")
        jar = dependency.artifact.resolve()
        jar.rename(jars / jar.name)
