"""The clients of LangGraph, OpenAI and AG-UI in JavaScript, against a real server process."""

import json

import pytest

from tests.server.openai.conftest import CITY, LONG


def test_langgraphs_client(run_in_node, served_graphs):
    run_in_node("client.mjs", URL=served_graphs.url)


def test_langgraphs_react_hook(run_in_node, served_graphs):
    run_in_node("use_stream.mjs", URL=served_graphs.url)


def test_langgraphs_react_hook_in_a_browser(run_in_node, served_to_pages, chromium):
    served, origin = served_to_pages
    run_in_node("browser.mjs", URL=served.url, ORIGIN=origin, CHROMIUM=chromium)


@pytest.mark.parametrize("client", ["openai.mjs", "ai_sdk.mjs"])
def test_clients_of_openai(run_in_node, server, client):
    run_in_node(client, URL=server.url, CITY=json.dumps(CITY), LONG=LONG)


def test_ag_uis_client(run_in_node, server):
    run_in_node("ag_ui.mjs", URL=server.url, CITY=json.dumps(CITY), LONG=LONG)
