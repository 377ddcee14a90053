"""The script: its order, its functions, and what happens when it does not fit."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from treadle.runtime.testing import ScriptedOpenAI, ScriptError, call, hang, say

USER = {"role": "user", "content": "Hello?"}


def wait_until(predicate, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < deadline, "it never came true"


def ask(client, **options):
    answer = client.chat.completions.create(model="m", messages=[USER], **options)
    return answer.choices[0].message.content


def test_a_function_answers_every_request(client_of):
    numbers = itertools.count(1)
    with ScriptedOpenAI(lambda request: say(f"{next(numbers)} {request.model}")) as server:
        client = client_of(server)
        assert [ask(client) for _ in range(3)] == ["1 m", "2 m", "3 m"]


def test_a_function_may_stand_in_the_list(client_of):
    with ScriptedOpenAI([say("one"), lambda request: say(request.last_user_text)]) as server:
        client = client_of(server)
        assert [ask(client), ask(client)] == ["one", "Hello?"]


def run(script, use=lambda _server: None):
    with ScriptedOpenAI(script) as server:
        use(server)
    return server


def test_a_script_that_runs_out_fails_the_request_once_and_the_test(client_of):
    def use(server):
        client = client_of(server, max_retries=2)
        ask(client)
        with pytest.raises(openai.InternalServerError, match="add a reply") as raised:
            ask(client)
        assert raised.value.code == "script_mismatch"
        assert len(server.requests) == 2  # not tried again

    with pytest.raises(ScriptError, match=r"request 2 \(POST /v1/chat/completions.*Hello"):
        run([say("one")], use)


def test_a_reply_left_over_fails_the_test():
    with pytest.raises(ScriptError, match=r"2 of 2 replies were never asked for.*'one'"):
        run([say("one"), say("two")])


def test_a_call_of_a_tool_that_was_not_offered_fails_the_test(client_of, weather):
    def use(server):
        with pytest.raises(openai.InternalServerError):
            ask(client_of(server), tools=[weather])

    with pytest.raises(ScriptError, match="calls 'wether', but the request offers weather"):
        run([call("wether")], use)


@pytest.mark.parametrize(
    ("function", "said"), [(lambda _: 1 / 0, "ZeroDivisionError"), (lambda _: "hi", "'hi'")]
)
def test_a_function_that_fails_fails_the_test(client_of, function, said):
    def use(server):
        with pytest.raises(openai.InternalServerError):
            ask(client_of(server))

    with pytest.raises(ScriptError, match=said):
        run(function, use)


def test_the_tests_own_failure_stays_and_carries_the_findings(client_of):
    with pytest.raises(openai.InternalServerError) as raised:
        run([], lambda server: ask(client_of(server)))
    assert "request 1" in raised.value.__notes__[0]


def test_the_findings_name_what_was_refused(client_of):
    def use(server):
        with pytest.raises(openai.BadRequestError):
            ask(client_of(server), temperature=5)

    with pytest.raises(ScriptError, match="refused with 400: Invalid 'temperature'"):
        run([say("x")], use)


def test_verification_can_wait():
    with ScriptedOpenAI([say("one")], verify=False) as server:
        pass
    with pytest.raises(ScriptError):
        server.verify()


@pytest.mark.parametrize("script", ["hello", [say("x"), "hello"], say("x"), [None], 3])
def test_what_is_no_script_is_refused_when_written(script):
    with pytest.raises(TypeError, match="script"):
        ScriptedOpenAI(script)


def test_a_server_runs_once():
    server = ScriptedOpenAI([])
    with pytest.raises(ScriptError, match="`with` block"):
        _ = server.base_url
    with server:
        pass
    server.close()
    with pytest.raises(ScriptError, match="started before"):
        server.__enter__()


def test_a_hundred_parallel_requests(client_of):
    count = 100
    script = [
        say(f"answer {number}").costing(input_tokens=3, output_tokens=2) for number in range(count)
    ]
    with ScriptedOpenAI(script) as server:
        client = client_of(server)
        with ThreadPoolExecutor(count) as pool:
            answers = list(pool.map(lambda _: ask(client), range(count)))
    assert sorted(answers) == sorted(f"answer {number}" for number in range(count))
    assert len(server.requests) == server.billed.requests == count
    assert server.billed.total_tokens == 5 * count


def test_functions_are_called_one_at_a_time(client_of):
    count = 50
    inside: list[int] = []
    overlaps: list[int] = []

    def reply(_request):
        inside.append(1)
        overlaps.append(len(inside))
        inside.pop()
        return say("x")

    with ScriptedOpenAI(reply) as server:
        client = client_of(server)
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda _: ask(client), range(count)))
    assert overlaps == [1] * count


def test_answers_of_two_servers_have_different_ids(client_of):
    ids = set()
    for _ in range(2):
        with ScriptedOpenAI([say("x")]) as server:
            client = client_of(server)
            ids.add(client.chat.completions.create(model="m", messages=[USER]).id)
    assert len(ids) == 2


def test_hanging_requests_hold_up_no_others(client_of):
    with ScriptedOpenAI([hang(), say("Hi.")], verify=False) as server:
        client = client_of(server)
        with ThreadPoolExecutor(1) as pool:
            stuck = pool.submit(ask, client)
            wait_until(lambda: server.requests)
            assert ask(client) == "Hi."
            server.close()
            with pytest.raises(openai.APIConnectionError):
                stuck.result()
