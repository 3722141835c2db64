"""The scripts by theme."""

from . import acls, create, envelope, multi, quotas, reads, reconfigs, sessions, watches, writes
from .script import SCRIPTS

__all__ = ["SCRIPTS", "acls", "create", "envelope", "multi", "quotas", "reads", "reconfigs", "sessions", "watches",
           "writes"]
