"""The ``wikipedia`` tool: looks a subject up in Wikipedia, another MediaWiki or a ZIM file."""

from datetime import timedelta
from pathlib import Path

from treadle.core.calls import Effect
from treadle.core.tool_settings import WikipediaSettings
from treadle.tools._contract import Tool, ToolResult, tool
from treadle.tools._registry import ToolContext
from treadle.tools.wikipedia._article import Encyclopedia
from treadle.tools.wikipedia._lookup import look_up
from treadle.tools.wikipedia._offline import OfflineEncyclopedia
from treadle.tools.wikipedia._online import OnlineEncyclopedia

__all__ = ["Encyclopedia", "build", "encyclopedia_of", "look_up"]


def build(context: ToolContext) -> Tool:
    """Make the tool with the project's encyclopedia.

    Raises:
        ConfigError: when the ZIM file cannot be read.
    """
    encyclopedia = encyclopedia_of(context.settings.tools.wikipedia, context.project)

    @tool(effect=Effect.READ, time_limit=timedelta(seconds=30))
    async def wikipedia(query: str, language: str = "") -> ToolResult:
        """Look a subject up in the encyclopedia and read the parts that answer a question.

        Best for established knowledge: people, places, history, science, definitions. It returns
        passages of the one article that fits best. Use web_search for news and for what is on
        particular web sites.

        Args:
            query: the subject's name, with the aspect asked about behind it if there is one, such
                as "Ada Lovelace" or "Ada Lovelace death". Not a whole question.
            language: the code of the edition to read, such as "fr"; usually left out.
        """
        return await look_up(encyclopedia, query, language)

    return wikipedia


def encyclopedia_of(settings: WikipediaSettings, project: Path) -> Encyclopedia:
    """Return the encyclopedia that the settings name.

    Args:
        settings: the settings of the tool.
        project: the folder that a relative path of a ZIM file begins at.

    Raises:
        ConfigError: when the ZIM file cannot be read.
    """
    if settings.zim is not None:
        return OfflineEncyclopedia(project / settings.zim.expanduser())
    return OnlineEncyclopedia(settings)
