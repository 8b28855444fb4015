"""What all contestants do alike: events to questions, the model's answer to messages. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import np_to_triton_dtype

from feature_repo.basics.identity import NO_ITEM
from feature_repo.shoppers import shopper
from feature_repo.shoppers.shopper import ShopperState
from headrace.arrays import MODEL, DescribeTensors, ScoreAnswer
from headrace.messages.events import Event
from headrace.messages.ids import answer_id
from headrace.messages.outputs import ModelRef
from headrace.scenarios import QueryResult
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.pipeline.shoppers.decode import Tick
from streams.pipeline.shoppers.feature_log import feature_log, is_logged
from streams.pipeline.shoppers.fold import PendingQuery
from streams.scenarios.ctr import CTR
from streams.scenarios.recommend.scenario import RECOMMEND
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.catalogue.context_blocks import CatalogueContext
from streams.serving.shopper_scorer.fallback import fallback_reason
from streams.serving.shopper_scorer.tensors import to_results

decode = msgspec.json.Decoder(Event).decode
_encode = msgspec.json.Encoder().encode
_NOTHING = np.array([NO_ITEM], np.int64)
_NOWHERE = Tick(-1, -1)


class Message(NamedTuple):
    """One message to produce."""

    topic: str
    user_id: str
    value: bytes
    timestamp: int


def plain(address: str) -> CatalogueContext:
    """Nothing withdrawn, nothing new, no trends; vectors as wide as the served version's."""
    triton = InferenceServerClient(address)
    tensors = DescribeTensors(_NOTHING, np.frombuffer(b"x", np.uint8), np.ones(1, np.int32))
    vector = triton.infer(MODEL, inputs(tensors._asdict())).as_numpy("text_vector")
    return CatalogueContext(_NOTHING, _NOTHING, np.zeros_like(vector), _NOTHING, np.zeros(1, np.float32))


class Row(NamedTuple):
    """A shopper's row as a scenario's query sees it."""

    user_id: str
    shopper: ShopperState
    views: dict[str, Any]


def fold(event: Event, state: ShopperState, chosen: Settings) -> Iterator[PendingQuery]:
    """Fold an event into its shopper's row; what it asks."""
    row = Row(event.user_id, state, {})
    for before in (True, False):
        if not before:
            shopper.fold(state, event)
        for scenario in (CTR, RECOMMEND):
            if scenario.before_fold is before and scenario.answers(event, chosen):
                query = scenario.query(event, row, chosen)
                yield PendingQuery(_NOWHERE, scenario, event, answer_id(scenario.name, event), query)


def messages(
    all_pending: Sequence[PendingQuery],
    arrays: Mapping[str, Any],
    version: str,
    catalogue: Catalogue,
    chosen: Settings,
) -> Iterator[Message]:
    """The answers, and the features they were made from."""
    answer = ScoreAnswer(**{name: arrays[name] for name in ScoreAnswer._fields})
    queries = [pending.query for pending in all_pending]
    fallbacks = [fallback_reason(query, catalogue) for query in queries]
    answers = to_results(queries, answer, ModelRef(MODEL, version), fallbacks)
    for pending, one in zip(all_pending, answers, strict=True):
        scenario, event = pending.scenario, pending.input
        output = scenario.output(QueryResult(event, pending.output_id, pending.query, one, catalogue, chosen))
        yield Message(scenario.outputs[0].name, event.user_id, _encode(output), event.timestamp)
        if is_logged(pending.output_id, chosen.feature_log):
            yield Message(Topic.FEATURE_LOG, event.user_id, _encode(feature_log(pending, one.model)), event.timestamp)


def inputs(tensors: Mapping[str, NDArray[np.generic]]) -> list[InferInput]:
    """A request's tensors as Triton's client takes them; those of nothing are not sent, since they are optional."""
    made: list[InferInput] = []
    for name, array in tensors.items():
        if not array.size:
            continue
        tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        made.append(tensor)
    return made


def outputs(result: Any) -> tuple[dict[str, Any], str]:
    """A response's arrays by name, and the version that made them."""
    response = result.get_response()
    return {output.name: result.as_numpy(output.name) for output in response.outputs}, response.model_version
