"""Notifications: somebody is told how a run ended, or that it waits for a person.

A message lies in an outbox in Redis until it was taken, at least once, always under the same id;
one that nobody takes is given up after a day, and can be replayed: see docs/notifications.md.
"""

from treadle.runtime.notifications._notifications import Notifications
from treadle.runtime.notifications._notifier import Notifier
from treadle.runtime.notifications._outbox import AGENDA, Message, Outbox
from treadle.runtime.notifications._telling import Telling
from treadle.runtime.notifications._ways import Way, Ways, faults

__all__ = [
    "AGENDA",
    "Message",
    "Notifications",
    "Notifier",
    "Outbox",
    "Telling",
    "Way",
    "Ways",
    "faults",
]
