"""A real MediaWiki on loopback: Debian's packages, SQLite, and PHP's own web server."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tests.support.waiting import wait_until

ROOT = Path("/usr/share/mediawiki")
PHP_MODULES = {"pdo_sqlite", "mbstring", "xml", "intl"}
PACKAGES = "mediawiki php-cli php-sqlite3 php-mbstring php-xml php-intl"

SETTINGS = """
$wgServer = getenv( 'WIKI_SERVER' );
$wgMainCacheType = CACHE_NONE;
$wgParserCacheType = CACHE_NONE;
$wgJobRunRate = 0;
if ( getenv( 'WIKI_EXTRACTS' ) ) {
    wfLoadExtension( 'TextExtracts' );
}
// What the extension Disambiguator does, which Debian does not ship.
$wgHooks['ParserAfterParse'][] = static function ( $parser, &$text, $state ) {
    if ( strpos( $text, '__DISAMBIG__' ) !== false ) {
        $text = str_replace( '__DISAMBIG__', '', $text );
        $parser->getOutput()->setPageProperty( 'disambiguation', '' );
    }
};
"""


def missing() -> str:
    """Return what this machine lacks for a wiki; nothing when all is there."""
    php = shutil.which("php")
    if php is None or not (ROOT / "maintenance" / "install.php").is_file():
        return f"MediaWiki and PHP are not installed (Debian: {PACKAGES})"
    listed = subprocess.run([php, "-m"], capture_output=True, text=True, check=True).stdout
    lacking = PHP_MODULES - {line.strip().lower() for line in listed.splitlines()}
    return f"PHP lacks the modules {', '.join(sorted(lacking))} ({PACKAGES})" if lacking else ""


@dataclass(frozen=True)
class MediaWiki:
    """A wiki that runs twice over the same pages.

    Attributes:
        api_url: its API, with the extension TextExtracts as on Wikipedia.
        bare_api_url: its API without any extension.
    """

    api_url: str
    bare_api_url: str


@contextmanager
def running_wiki(folder: Path, pages: dict[str, str]) -> Iterator[MediaWiki]:
    """Install a wiki into a folder and serve it; ``pages`` are wikitext by title."""
    _install(folder, pages)
    with _served(folder, extracts=True) as api_url, _served(folder, extracts=False) as bare:
        yield MediaWiki(api_url, bare)


def _install(folder: Path, pages: dict[str, str]) -> None:
    data = folder / "data"
    data.mkdir()
    _maintain(
        folder,
        "install.php",
        *("--dbtype", "sqlite", "--dbpath", str(data), "--dbname", "wiki"),
        *("--confpath", str(folder), "--scriptpath", "", "--server", "http://127.0.0.1"),
        *("--pass", "a-password-for-tests", "Encyclopedia", "Admin"),
    )
    with (folder / "LocalSettings.php").open("a") as settings:
        settings.write(SETTINGS)
    dump = folder / "pages.xml"
    dump.write_text(_dump(pages), encoding="utf-8")
    _maintain(folder, "importDump.php", "--no-updates", str(dump))
    _maintain(folder, "rebuildtextindex.php")
    _maintain(folder, "refreshLinks.php")


def _dump(pages: dict[str, str]) -> str:
    revisions = "".join(
        f"<page><title>{escape(title)}</title><ns>0</ns><revision>"
        "<timestamp>2026-01-01T00:00:00Z</timestamp>"
        "<contributor><username>Admin</username></contributor>"
        "<model>wikitext</model><format>text/x-wiki</format>"
        f'<text xml:space="preserve">{escape(text)}</text></revision></page>'
        for title, text in pages.items()
    )
    space = "http://www.mediawiki.org/xml/export-0.10/"
    return f'<mediawiki xmlns="{space}" version="0.10" xml:lang="en">{revisions}</mediawiki>'


def _maintain(folder: Path, script: str, *arguments: str) -> None:
    done = subprocess.run(
        ["php", str(ROOT / "maintenance" / script), *arguments],
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"


def _environment(folder: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "MW_CONFIG_FILE": str(folder / "LocalSettings.php"),
        "WIKI_SERVER": "http://127.0.0.1",
        **more,
    }


@contextmanager
def _served(folder: Path, *, extracts: bool) -> Iterator[str]:
    port = _free_port()
    place = f"127.0.0.1:{port}"
    environment = _environment(folder, WIKI_SERVER=f"http://{place}")
    if extracts:
        environment["WIKI_EXTRACTS"] = "1"
    with (folder / f"php-{port}.log").open("w") as log:
        process = subprocess.Popen(
            ["php", "-S", place, "-t", str(ROOT)], env=environment, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: _listens(port), what=f"php -S {place}")
        yield f"http://{place}/api.php"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
