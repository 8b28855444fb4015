"""Rule 12: the breaker trips on refusal, probes, and closes on an answer."""

from streams.engine.breaker import Breaker


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_calls_go_through_until_one_is_refused():
    breaker = Breaker(1.0, Clock())
    assert breaker.may_call()
    breaker.refused()
    assert not breaker.may_call()
    assert not breaker.closed


def test_one_probe_an_interval_goes_through_while_open():
    clock = Clock()
    breaker = Breaker(1.0, clock)
    breaker.refused()
    clock.now = 1.0
    assert [breaker.may_call(), breaker.may_call()] == [True, False]
    clock.now = 2.0
    assert breaker.may_call()


def test_an_answer_closes_it():
    breaker = Breaker(1.0, Clock())
    breaker.refused()
    breaker.succeeded()
    assert breaker.closed
    assert breaker.may_call()
