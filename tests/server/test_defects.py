"""What nobody foresaw costs one request its answer, and no other one anything."""

import http.client
from urllib.parse import urlsplit

import httpx

from tests.support.redis_servers import packaged_binary, running_server
from tests.support.serving import serving

CHECK = """
from treadle.server.security import OPERATOR


def check(headers):
    if headers.get("x-colleague") == "nobody":
        raise KeyError("no such colleague")
    return OPERATOR
"""


def ask(connection, path, **headers):
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_connection_is_kept_after_a_defect(project, redis_url):
    (project / "callers.py").write_text(CHECK)
    (project / "treadle.toml").write_text('[server]\nauthenticate = "callers.py:check"\n')
    with serving(project, redis_url) as served:
        connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=30)
        connection.connect()
        socket = connection.sock
        status, said = ask(connection, "/info", **{"X-Colleague": "nobody"})
        assert (status, b"defect" in said) == (500, True)
        for _ in range(3):
            assert ask(connection, "/info")[0] == 200
            assert connection.sock is socket, "the same connection"
        connection.close()
        log = served.log.read_text()
        assert log.count("KeyError: 'no such colleague'") == 1
        assert log.count("Traceback") == 1


def test_a_redis_that_is_away_while_the_key_is_checked_is_no_defect(project, short_tmp_path):
    with running_server(packaged_binary(), short_tmp_path) as redis:
        (project / "treadle.toml").write_text("[server]\nrequire_key = true\n")
        with serving(project, redis.url) as served:
            redis.kill()
            headers = {"X-Api-Key": "treadle_0123456789abcdef_" + "a" * 43}
            answer = httpx.get(f"{served.url}/info", headers=headers, timeout=60)
            assert answer.status_code == 503
            assert "Redis cannot be reached" in answer.json()["detail"]
            assert "Traceback" not in served.log.read_text()
