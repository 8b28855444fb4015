"""What servers of several versions say when they refuse, and which of it is a refusal."""

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from feature_repo.store.refusals import is_refusal, refusal

OF_A_SCRIPT_BEFORE_7 = (
    "ERR Error running script (call to f_6ea8): @user_script:8: @user_script: 8: -READONLY You can't write against a "
    "read only replica."
)


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("READONLY You can't write against a read only replica.", "HEADRACE_REDIS must name the primary"),
        (OF_A_SCRIPT_BEFORE_7, "HEADRACE_REDIS must name the primary"),
        ("MASTERDOWN Link with MASTER is down.", "HEADRACE_REDIS must name the primary"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "maxmemory"),
        ("MISCONF Errors writing to the AOF file: No space left on device", "its own disk"),
        ("NOREPLICAS Not enough good replicas to write.", "min-replicas-to-write"),
        ("NOAUTH Authentication required.", "a user and a password"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "a user and a password"),
        ("NOPERM User reader has no permissions to run the 'eval' command", "allow this user"),
        (
            "ERR The user executing the script can't run this command or subcommand script: ebcc, on @user_script:32.",
            "NOP",
        ),
        ("ERR ACL failure in script: User reader has no permissions to run the 'hset' command", "NOPERM"),
        ("ERR unknown command 'WAITAOF', with args beginning with: '1'", "Redis 7.2 or Valkey 7.2"),
        ("MOVED 3999 127.0.0.1:6381", "a single one"),
    ],
)
def test_a_refusal_names_its_code_and_what_to_do(message, remedy):
    error = BaseParser.parse_error(message)
    assert is_refusal(error)
    assert remedy in refusal(error)
    code = message.split()[0]
    assert code == "ERR" or code in refusal(error)
    assert "\n" not in refusal(error)


def test_what_the_client_wraps_around_an_error_of_a_pipeline_is_left_out():
    wrapped = ResponseError("Command # 1 (EVAL \nlocal x) return 0 y) of pipeline caused error: ('OOM no memory.',)")
    assert refusal(wrapped).startswith("OOM no memory: it is full")


@pytest.mark.parametrize("message", ["LOADING Redis is loading the dataset in memory"])
def test_a_server_that_starts_is_away_and_refuses_nothing(message):
    assert not is_refusal(BaseParser.parse_error(message))


@pytest.mark.parametrize("error", [RedisConnectionError("Connection refused"), RedisTimeoutError("Timeout")])
def test_silence_is_no_refusal(error):
    assert not is_refusal(error)
