"""The clients of LangGraph and OpenAI in JavaScript, against a real server process."""


def test_langgraphs_client(run_in_node, served_graphs):
    run_in_node("client.mjs", URL=served_graphs.url)


def test_langgraphs_react_hook(run_in_node, served_graphs):
    run_in_node("use_stream.mjs", URL=served_graphs.url)
