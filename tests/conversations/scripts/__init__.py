"""The scripts by theme."""

from . import acls, alone, create, envelope, multi, quotas, reads, reconfigs, sessions, watches, writes
from .script import SCRIPTS

__all__ = ["SCRIPTS", "acls", "alone", "create", "envelope", "multi", "quotas", "reads", "reconfigs", "sessions", "watches",
           "writes"]
