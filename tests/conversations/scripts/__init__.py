"""The scripts by theme."""

from . import create, reads, writes
from .script import SCRIPTS

__all__ = ["SCRIPTS", "create", "reads", "writes"]
