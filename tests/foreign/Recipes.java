import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

/** What programs do with Curator. The argument is the list of servers. */
public class Recipes {
    public static void main(String[] arguments) throws Exception {
        try (CuratorFramework client = connect(arguments[0]); CuratorFramework other = connect(arguments[0])) {
            nodes(client);
            cache(client, other);
            locks(client, other);
            recipes(client, other);
            afterTheDeathOfTheLeader(client, other);
        }
        System.out.println("all done");
        System.exit(0);
    }

    private static CuratorFramework connect(String servers) throws InterruptedException {
        CuratorFramework client =
                CuratorFrameworkFactory.newClient(servers, 10_000, 10_000, new ExponentialBackoffRetry(50, 10, 1_000));
        client.start();
        check("connect", client.blockUntilConnected(30, TimeUnit.SECONDS));
        return client;
    }

    private static void check(String what, boolean holds) {
        if (!holds) {
            System.out.println("not so: " + what);
            System.exit(1);
        }
        System.out.println("ok: " + what);
    }

    private static void nodes(CuratorFramework client) throws Exception {
        client.create().creatingParentContainersIfNeeded().forPath("/curator/a/b", "one".getBytes());
        check("get", new String(client.getData().forPath("/curator/a/b")).equals("one"));
        check("set", client.setData().withVersion(0).forPath("/curator/a/b", "two".getBytes()).getVersion() == 1);
        try {
            client.setData().withVersion(0).forPath("/curator/a/b", "three".getBytes());
            check("an old version is refused", false);
        } catch (KeeperException.BadVersionException expected) {
            check("an old version is refused", true);
        }
        String name = client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/curator/e-");
        check("a protected sequence", name.endsWith("e-0000000001"));
        client.create().withTtl(100_000).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/curator/ttl");
        check("a transaction", client.transaction().forOperations(
                client.transactionOp().check().withVersion(1).forPath("/curator/a/b"),
                client.transactionOp().create().forPath("/curator/t"),
                client.transactionOp().delete().forPath("/curator/ttl")).size() == 3);
        client.delete().deletingChildrenIfNeeded().forPath("/curator/a");
        check("delete with children", client.checkExists().forPath("/curator/a") == null);
    }

    private static void cache(CuratorFramework client, CuratorFramework other) throws Exception {
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        try (CuratorCache cache = CuratorCache.build(client, "/cache")) {
            cache.listenable().addListener(CuratorCacheListener.builder()
                    .forAll((type, before, after) -> events.add(type + " " + after.getPath()))
                    .forInitialized(() -> events.add("filled")).build());
            cache.start();
            check("a cache is filled", "filled".equals(events.poll(30, TimeUnit.SECONDS)));
            other.create().forPath("/cache", new byte[0]);
            check("a cache hears of a node", "NODE_CREATED /cache".equals(events.poll(30, TimeUnit.SECONDS)));
            other.create().forPath("/cache/child", "x".getBytes());
            check("of a child", "NODE_CREATED /cache/child".equals(events.poll(30, TimeUnit.SECONDS)));
            other.setData().forPath("/cache/child", "y".getBytes());
            check("of its data", "NODE_CHANGED /cache/child".equals(events.poll(30, TimeUnit.SECONDS)));
            check("a cache holds them", new String(cache.get("/cache/child").get().getData()).equals("y"));
        }
    }

    private static void locks(CuratorFramework client, CuratorFramework other) throws Exception {
        InterProcessMutex mine = new InterProcessMutex(client, "/lock");
        InterProcessMutex theirs = new InterProcessMutex(other, "/lock");
        check("a lock", mine.acquire(30, TimeUnit.SECONDS));
        check("a lock that is held", !theirs.acquire(200, TimeUnit.MILLISECONDS));
        mine.release();
        check("a lock that was released", theirs.acquire(30, TimeUnit.SECONDS));
        theirs.release();
    }

    private static void recipes(CuratorFramework client, CuratorFramework other) throws Exception {
        DistributedAtomicLong number =
                new DistributedAtomicLong(client, "/number", new ExponentialBackoffRetry(50, 10, 1_000));
        check("a number", number.add(41L).succeeded() && number.increment().postValue() == 42);
        SimpleDistributedQueue queue = new SimpleDistributedQueue(client, "/queue");
        check("a queue", queue.offer("first".getBytes()) && queue.offer("second".getBytes()));
        check("its order", new String(new SimpleDistributedQueue(other, "/queue").take()).equals("first"));
        LeaderLatch first = new LeaderLatch(client, "/latch");
        LeaderLatch second = new LeaderLatch(other, "/latch");
        first.start();
        check("an election", first.await(30, TimeUnit.SECONDS));
        second.start();
        check("a second candidate", !second.await(200, TimeUnit.MILLISECONDS));
        first.close();
        check("its turn", second.await(30, TimeUnit.SECONDS));
        second.close();
    }

    private static void afterTheDeathOfTheLeader(CuratorFramework client, CuratorFramework other) throws Exception {
        PersistentNode node = new PersistentNode(client, CreateMode.EPHEMERAL, false, "/node", new byte[0]);
        node.start();
        check("a node", node.waitForInitialCreate(30, TimeUnit.SECONDS));
        InterProcessMutex lock = new InterProcessMutex(client, "/lock");
        check("a lock", lock.acquire(30, TimeUnit.SECONDS));
        long session = client.getZookeeperClient().getZooKeeper().getSessionId();
        System.out.println("KILL");
        System.in.read();
        client.create().orSetData().forPath("/after", new byte[0]);
        check("a write after the death of the leader", other.checkExists().forPath("/node") != null);
        check("the same session", client.getZookeeperClient().getZooKeeper().getSessionId() == session);
        check("the lock is held", !new InterProcessMutex(other, "/lock").acquire(200, TimeUnit.MILLISECONDS));
        lock.release();
        node.close();
    }
}
