"""What a script is, and the list of all of them."""

import typing

SCRIPTS = []


class Script(typing.NamedTuple):
    """A conversation to be had."""

    name: str
    story: str
    settings: dict
    play: typing.Callable


def script(**settings):
    """Makes a function the script of its name, with its docstring as the story. `__` in a setting is a dot."""
    def add(play):
        name = play.__name__.replace("_", "-")
        assert name not in [known.name for known in SCRIPTS], name
        keys = {key.replace("__", "."): value for key, value in settings.items()}
        SCRIPTS.append(Script(name, play.__doc__, keys, play))
        return play
    return add
