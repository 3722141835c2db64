"""A plugin of pytest: where kazoo's own tests start servers of Apache's, they start zabrus.

kazoo's harness takes its servers from kazoo.testing.common, which starts Java. This stands in for that module."""
import json
import os
import sys
import types

from ensemble import Ensemble, Server

OPTIONS = json.loads(os.environ["FOREIGN_KAZOO"])


class ZookeeperCluster(Ensemble):
    """The interface that the harness knows. What it wants to tell a Java machine is in each zoo.cfg already."""

    def __init__(self, configuration_entries=(), **_):
        settings = [entry.split("=", 1) for entry in ("readonlymode.enabled=true", *configuration_entries)]
        super().__init__(OPTIONS["binary"], OPTIONS["folder"], observers=OPTIONS["observers"], settings=settings)
        # With an observer, clients know nobody else.
        self.visible = self.servers[-OPTIONS["observers"]:] if OPTIONS["observers"] else self.servers

    def __iter__(self):
        return iter(self.servers)

    def __getitem__(self, index):
        return self.servers[index]

    def stop(self):
        for server in self.servers:
            server.stop()

    def reset(self):
        for server in self.servers:
            server.reset()

    def get_logs(self):
        return [line for server in self.servers for line in server.get_logs()]


common = types.ModuleType("kazoo.testing.common")
common.ManagedZooKeeper, common.ZookeeperCluster = Server, ZookeeperCluster
sys.modules["kazoo.testing.common"] = common

os.environ["ZOOKEEPER_VERSION"] = "3.9.5"
from kazoo.testing.harness import KazooTestHarness  # noqa: E402

KazooTestHarness.servers = property(lambda test: ",".join(server.address for server in test.cluster.visible))
