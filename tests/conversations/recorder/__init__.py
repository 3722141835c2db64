"""Records conversations between clients and a ZooKeeper server as text files."""
