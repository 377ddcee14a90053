"""The clients of LangGraph, OpenAI and AG-UI in JavaScript, against a real server process."""

import json

from tests.server.openai.conftest import CITY, LONG


def test_langgraphs_client(run_in_node, served_graphs):
    run_in_node("client.mjs", URL=served_graphs.url)


def test_langgraphs_client_follows_threads(run_in_node, served_graphs):
    # Node 20 has browsers' WebSocket behind a flag.
    run_in_node("thread_stream.mjs", URL=served_graphs.url, NODE_OPTIONS="--experimental-websocket")


def test_langgraphs_react_hook(run_in_node, served_graphs):
    run_in_node("use_stream.mjs", URL=served_graphs.url)


def test_langgraphs_react_hook_in_a_browser(run_in_node, served_to_pages, chromium):
    served, origin = served_to_pages
    run_in_node("browser.mjs", URL=served.url, ORIGIN=origin, CHROMIUM=chromium)


def test_openais_client(run_in_node, server):
    run_in_node("openai.mjs", URL=server.url, CITY=json.dumps(CITY), LONG=LONG)


ASKED = {
    "temperature": 0.3,
    "top_p": 0.9,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "stop": ["###"],
    "reasoning_effort": "low",
    "verbosity": "high",
}


def test_vercels_ai_sdk(run_in_node, server, model):
    run_in_node("ai_sdk.mjs", URL=server.url, CITY=json.dumps(CITY), LONG=LONG)
    bodies = [request.body for request in model.requests if request.body.get("seed") == 42]
    assert [{name: body.get(name) for name in ASKED} for body in bodies] == [ASKED, ASKED]
    assert bodies[0]["max_completion_tokens"] == 700


def test_ag_uis_client(run_in_node, server):
    run_in_node("ag_ui.mjs", URL=server.url, CITY=json.dumps(CITY), LONG=LONG)
