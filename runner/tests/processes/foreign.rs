//! A client that others wrote, and that nobody told about this server: the crate `zookeeper-client`.

use std::time::Duration;

use zookeeper_client::{
    Acls, AddWatchMode, Client, CreateMode, CreateOptions, Error, EventType, LockOptions, LockPrefix,
};

use crate::server::{Cluster, wait_for};

const PERSISTENT: CreateOptions<'_> = CreateMode::Persistent.with_acls(Acls::anyone_all());
const EPHEMERAL: CreateOptions<'_> = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
const SEQUENTIAL: CreateOptions<'_> = CreateMode::PersistentSequential.with_acls(Acls::anyone_all());

/// The addresses of all, as clients write them.
fn addresses(cluster: &Cluster) -> String {
    let addresses: Vec<_> =
        cluster.servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    addresses.join(",")
}

#[test]
fn a_foreign_client_reads_writes_and_watches_through_every_server() {
    let mut cluster = Cluster::new(3, 1);
    cluster.configure("extendedTypesEnabled=true\n");
    cluster.start();
    for server in &cluster.servers {
        let address = format!("127.0.0.1:{}", server.port);
        let root = format!("/{}", server.id);
        smol::block_on(visit(&address, &root)).expect("every step succeeds");
    }
}

async fn visit(address: &str, root: &str) -> Result<(), Error> {
    let client = Client::connect(address).await?;
    let (_, created) = client.check_and_watch_stat(root).await?;
    let (stat, _) = client.create(root, b"one", &PERSISTENT).await?;
    assert_eq!(created.changed().await.event_type, EventType::NodeCreated);
    assert_eq!(client.get_data(root).await?, (b"one".to_vec(), stat));

    let mut watcher = client.watch(root, AddWatchMode::PersistentRecursive).await?;
    let name = format!("{root}/n-");
    let (_, first) = client.create(&name, b"", &SEQUENTIAL).await?;
    let (_, second) = client.create(&name, b"", &SEQUENTIAL).await?;
    assert!(first < second, "{first} and {second}");
    for sequence in [first, second] {
        let event = watcher.changed().await;
        assert_eq!((event.event_type, event.path), (EventType::NodeCreated, format!("{name}{sequence}")));
    }
    let hour = CreateMode::Persistent.with_acls(Acls::anyone_all()).with_ttl(Duration::from_secs(3_600));
    client.create(&format!("{root}/ttl"), b"", &hour).await?;

    let stat = client.set_data(root, b"two", Some(0)).await?;
    assert_eq!((stat.version, stat.num_children), (1, 3));
    assert_eq!(client.set_data(root, b"three", Some(0)).await.map(|_| ()), Err(Error::BadVersion));
    assert_eq!(client.delete(root, None).await, Err(Error::NotEmpty));
    let mut writer = client.new_multi_writer();
    writer.add_check_version(root, 1)?;
    writer.add_set_data(root, b"four", Some(1))?;
    writer.add_create(&format!("{root}/multi"), b"", &PERSISTENT)?;
    assert_eq!(writer.commit().await.expect("nothing is against it").len(), 3);
    assert_eq!(client.list_children(root).await?.len(), 4);
    assert_eq!(client.count_descendants_number(root).await?, 4);

    let other = Client::connect(address).await?;
    other.create(&format!("{root}/ephemeral"), b"", &EPHEMERAL).await?;
    let (stat, gone) = client.check_and_watch_stat(&format!("{root}/ephemeral")).await?;
    assert_eq!(stat.map(|stat| stat.ephemeral_owner), Some(other.session_id().0));
    drop(other);
    assert_eq!(gone.changed().await.event_type, EventType::NodeDeleted);
    Ok(())
}

#[test]
fn a_foreign_client_keeps_its_session_and_its_lock_when_the_leader_dies() {
    let mut cluster = Cluster::started(3, 0);
    smol::block_on(async {
        let client = Client::connect(&addresses(&cluster)).await.expect("a session");
        let session = client.session_id();
        let prefix = LockPrefix::new_curator("/locks", "lock-").expect("a prefix");
        let options =
            LockOptions::new(Acls::anyone_all()).with_ancestor_options(PERSISTENT).expect("options");
        let lock = client.lock(prefix, b"", options).await.expect("nobody else wants it");
        let leader = cluster.leader();
        cluster.servers[leader].kill();
        let stat =
            wait_for("an answer of the others", || smol::block_on(client.check_stat(lock.lock_path())).ok());
        let owner = stat.expect("the lock is held").ephemeral_owner;
        assert_eq!((owner, client.session_id()), (session.0, session));
    });
}
