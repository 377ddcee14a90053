"""What an agent says of itself."""

from importlib.metadata import version

from a2a.types.a2a_pb2 import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a.utils.constants import PROTOCOL_VERSION_1_0, TransportProtocol
from google.protobuf.json_format import ParseDict

from treadle.agents import Agent
from treadle.server.a2a._messages import JSON, TEXT


def card_of(agent: Agent, url: str, *, requires_key: bool) -> AgentCard:
    """Return an agent's card.

    Args:
        agent: the agent.
        url: where it is spoken to.
        requires_key: whether a key or token has to be shown.
    """
    about = agent.description or f"The agent {agent.name!r}."
    card = AgentCard(
        name=agent.name,
        description=about,
        version=version("treadle"),
        supported_interfaces=[
            AgentInterface(
                url=url, protocol_binding=binding.value, protocol_version=PROTOCOL_VERSION_1_0
            )
            for binding in (TransportProtocol.JSONRPC, TransportProtocol.HTTP_JSON)
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=False),
        default_input_modes=[TEXT, JSON],
        default_output_modes=[TEXT, JSON] if agent.output else [TEXT],
        skills=[AgentSkill(id=agent.name, name=agent.name, description=about, tags=["agent"])],
    )
    if requires_key:
        secured = {
            "securitySchemes": {"bearer": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}},
            "securityRequirements": [{"schemes": {"bearer": {"list": []}}}],
        }
        ParseDict(secured, card)
    return card
