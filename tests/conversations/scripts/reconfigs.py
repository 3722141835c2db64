"""reconfig on a server alone."""

from recorder.tokens import buffer, int64

from .script import script

ONE = "server.5=127.0.0.1:23090:23091:participant;23092"


@script()
def reconfig_disabled(s):
    """reconfig is off, and says so before it looks at anything."""
    a = s.client("a")
    a.reconfig(joining=ONE)
    a.reconfig(leaving="1")
    a.reconfig(members=ONE)
    a.reconfig(config=17)
    a.reconfig(joining="nonsense")
    a.reconfig()
    a.call(16, buffer(None) + buffer(None) + buffer(None) + int64(-1) + ["00"], "reconfig and a byte more")
    a.exists("/")


@script(reconfigEnabled="true")
def reconfig_standalone(s):
    """reconfig is on, but a server alone has nothing to configure."""
    a = s.client("a")
    a.reconfig(joining=ONE)
    a.reconfig(leaving="1")
    a.reconfig(members=ONE)
    a.reconfig(config=17)
    a.exists("/")
