"""The official OpenAI SDK, unchanged but for its base URL, against the daemon and a real local model."""

import time

import openai
import pytest

HELLO = [{"role": "user", "content": "Say hello."}]
CLOCK = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "The time in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_a_plain_answer_is_real_and_its_attempt_is_in_the_ledger(daemon, client):
    before = daemon.attempts()
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=HELLO, max_tokens=40)
    answer = raw.parse()
    assert answer.choices[0].message.content.strip()
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.completion_tokens > 0
    assert raw.headers["x-planb-model"] == "tiny"
    identity = raw.headers["x-planb-decision"]
    decision = daemon.decision(lambda one: one["id"] == identity)
    assert decision["attempts"][0]["usage"]["output"] == answer.usage.completion_tokens
    deadline = time.monotonic() + 60
    while daemon.attempts() == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert daemon.attempts() > before


def test_a_call_without_max_tokens_works(client):
    answer = client.chat.completions.create(model="chat", messages=HELLO, stop=["\n"])
    assert answer.choices[0].message.content is not None


def test_a_stream_ends_with_a_finish_and_adds_up(client):
    stream = client.chat.completions.create(model="chat", messages=HELLO, max_tokens=40, stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices).strip()
    assert any(chunk.choices and chunk.choices[0].finish_reason for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_shows_its_usage_to_who_asks(client):
    options = {"include_usage": True}
    stream = client.chat.completions.create(
        model="chat", messages=HELLO, max_tokens=20, stream=True, stream_options=options
    )
    last = list(stream)[-1]
    assert last.usage.completion_tokens > 0


def test_a_request_with_tools_is_answered(client):
    answer = client.chat.completions.create(
        model="chat", messages=[{"role": "user", "content": "What time is it in Paris?"}], tools=[CLOCK], max_tokens=60
    )
    message = answer.choices[0].message
    assert message.content or message.tool_calls


def test_models_are_listed(client):
    assert {model.id for model in client.models.list()} == {"chat", "busy", "poor"}
    assert client.models.retrieve("chat").id == "chat"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")


def test_each_error_raises_its_own_class(client):
    def ask(model="chat", **more):
        return client.chat.completions.create(model=model, messages=HELLO, max_tokens=20, **more)

    with pytest.raises(openai.NotFoundError) as unknown:
        ask("nope")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        ask(extra_headers={"x-planb-min-quality": "99"})
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-wrong").chat.completions.create(model="chat", messages=HELLO)
    with pytest.raises(openai.RateLimitError) as busy:
        ask("busy")
    assert int(busy.value.response.headers["retry-after"]) >= 1
    with pytest.raises(openai.APIStatusError) as poor:
        ask("poor")
    assert poor.value.status_code == 402
    assert poor.value.code == "insufficient_quota"
    assert poor.value.response.headers["x-should-retry"] == "false"


def test_money_that_is_gone_is_not_asked_for_again(daemon, client):
    def refusals():
        listed = daemon.get("/planb/decisions?route=poor&limit=100")["decisions"]
        return len(listed)

    before = refusals()
    with pytest.raises(openai.APIStatusError):
        client.with_options(max_retries=2).chat.completions.create(model="poor", messages=HELLO, max_tokens=20)
    daemon.decision(lambda one: one["route"] == "poor")
    deadline = time.monotonic() + 60
    while refusals() == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert refusals() == before + 1


def test_a_stream_that_is_closed_early_is_cancelled_and_settled(daemon, client):
    stream = client.chat.completions.with_raw_response.create(
        model="chat", messages=HELLO, max_tokens=4000, stream=True, extra_body={"ignore_eos": True}
    )
    identity = stream.headers["x-planb-decision"]
    answer = stream.parse()
    next(iter(answer))
    answer.close()
    decision = daemon.decision(lambda one: one["id"] == identity)
    assert decision["outcome"] == "cancelled"
    assert len(decision["attempts"]) == 1
