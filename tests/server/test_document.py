"""Whatever the OpenAPI document allows, and what it forbids, asked of a real server."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.serving import serving

CONFIG = """
seed = 7

[generation]
deterministic = true
database = "none"

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429"]

# A state cannot be put on a thread that was never used with a graph: what fits the document does
# not always fit the thread.
[[operations]]
include-name = "POST /threads"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /threads/{thread_id}/state"
checks.positive_data_acceptance.enabled = false

# What a run holds must fit together, and fit the server: a webhook needs a secret.
[[operations]]
include-name = "POST /runs"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /runs/wait"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /runs/stream"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /runs/batch"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /threads/{thread_id}/runs"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /threads/{thread_id}/runs/wait"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /threads/{thread_id}/runs/stream"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /runs/crons"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-name = "POST /threads/{thread_id}/runs/crons"
checks.positive_data_acceptance.enabled = false

# AG-UI's own schema does not say that a message needs its role.
[[operations]]
include-name = "POST /agui/{agent}"
checks.positive_data_acceptance.enabled = false

# The document cannot say what an event's id looks like: the check gives empty headers for patterns.
# A stream of a thread has no end of its own and is read for as long as a request may take; where
# the server is too busy to begin an answer in that time, it is asked again.
[[operations]]
include-name = "GET /threads/{thread_id}/stream"
checks.positive_data_acceptance.enabled = false
request-timeout = 0.5
request-retries = 3

# So does a thread's other stream: it ends with its reader.
[[operations]]
include-name = "POST /threads/{thread_id}/stream/events"
request-timeout = 0.5
request-retries = 3
"""


BRIEF = ["--phases", "coverage"]
LONG = ["--phases", "coverage,fuzzing", "-n", "30"]


@pytest.mark.parametrize("extent", [BRIEF, pytest.param(LONG, marks=pytest.mark.soak)])
def test_every_answer_is_one_that_the_document_describes(project, redis_url, tmp_path, extent):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with serving(project, redis_url) as served:
        command = [str(Path(sys.executable).with_name("st")), "--config-file"]
        command += [str(tmp_path / "schemathesis.toml"), "run", f"{served.url}/openapi.json"]
        command += [*extent, "--no-color"]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=1_500
        )
        found = ended.stdout[ended.stdout.find("FAILURES") :]
        assert ended.returncode == 0, found[:6_000] + ended.stderr[-2_000:]
        assert "Server error" not in ended.stdout
        assert served.process.poll() is None
