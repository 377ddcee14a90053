"""Who may do what: keys, tokens, scopes, tenants, owners and limits."""

from treadle.server.security._admission import Admission
from treadle.server.security._authentication import Authenticator
from treadle.server.security._guard import Guard, GuardMiddleware
from treadle.server.security._keys import ApiKey, ApiKeys, NewKey, keys_secret
from treadle.server.security._ownership import Ownership, check_namespace
from treadle.server.security._principal import (
    OPERATOR,
    Principal,
    Scope,
    acting_for,
    current_principal,
    memory_user,
)

__all__ = [
    "OPERATOR",
    "Admission",
    "ApiKey",
    "ApiKeys",
    "Authenticator",
    "Guard",
    "GuardMiddleware",
    "NewKey",
    "Ownership",
    "Principal",
    "Scope",
    "acting_for",
    "check_namespace",
    "current_principal",
    "keys_secret",
    "memory_user",
]
