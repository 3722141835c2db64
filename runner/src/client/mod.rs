//! A client of ZooKeeper's protocol, for this program's own shell.
//!
//! [`Client::open`] returns at once; a thread of its own finds a server, keeps the session alive, and looks
//! for another server when the connection breaks: the session stays, identities are proved again, and
//! watches are armed again with setWatches (client.md sections 3.5 and 9.5). Every method sends one
//! request and waits for its answer. A write that was sent on a connection that broke fails with
//! [`Error::CONNECTION_LOSS`], since nobody knows whether it was done. A read is asked again. Before the first
//! connection requests wait until every server was tried, later for ten seconds.
//!
//! | Place | What |
//! |---|---|
//! | `mod.rs`, `call.rs` | The requests. |
//! | `session.rs` | The session as a machine without I/O. |
//! | `connection.rs` | The thread, its socket, and where to connect next. |
//! | `watches.rs`, `event.rs` | What is watched, and what is told. |
//! | `address.rs`, `path.rs`, `error.rs` | Connection strings, paths, refusals. |

mod address;
mod call;
mod connection;
mod error;
mod event;
pub(crate) mod path;
mod session;
mod watches;

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zabrus_core::Bytes;
use zabrus_core::jute::{self, Decoder};
use zabrus_core::wire::{
    Acl, AddWatch, Auth, Create, CreateTtl, Delete, ErrorCode, GetAclResponse, GetChildren2Response,
    GetDataResponse, MultiHeader, OpCode, PathOnly, PathWatch, SetAcl, SetData, Stat,
};

use crate::clock;

pub(crate) use address::ConnectString;
pub(crate) use error::Error;
pub(crate) use event::{Event, Kind, Link};
pub(crate) use session::State;
pub(crate) use watches::WatcherType;

use call::{Answer, Call, Effect};
use connection::{Connection, Shared};
use session::Session;
use watches::Waits;

/// The node that holds the ensemble's configuration, whatever the client's root is.
const CONFIG: &str = "/zookeeper/config";

/// How long the end of a session may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// What to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreateMode {
    /// A node that stays.
    Persistent,
    /// A node that goes with the session.
    Ephemeral,
    /// A node that goes when its last child has gone.
    Container,
    /// A node that goes when it was not changed for so many milliseconds.
    Ttl(i64),
}

/// A change of the ensemble (client.md section 16).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reconfig {
    /// Servers that come, as `server.N=...`, separated by commas.
    pub(crate) joining: Option<String>,
    /// Ids of servers that go.
    pub(crate) leaving: Option<String>,
    /// All servers, instead of the two above.
    pub(crate) members: Option<String>,
    /// The version of the configuration that must be in force, -1 for any.
    pub(crate) version: i64,
}

/// A session. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    shared: Arc<Shared>,
}

/// An answer that is on its way.
#[derive(Debug)]
pub(crate) struct Pending<T> {
    answer: Receiver<Answer>,
    path: Option<String>,
    record: PhantomData<T>,
}

impl<T: DeserializeOwned> Pending<T> {
    /// Waits for it.
    ///
    /// # Errors
    /// The server's refusal, or why there is no answer.
    pub(crate) fn wait(self) -> Result<T, Error> {
        let loss = |code| Error::Keeper { code, path: self.path.clone() };
        // Without a sender the thread has gone.
        let body = self.answer.recv().map_err(|_| loss(Error::CONNECTION_LOSS))??;
        Decoder::new(&body).read().map_err(|_| loss(Error::MARSHALLING))
    }
}

impl Client {
    /// Opens a session with one of these servers. `listen` is called on the client's thread for every
    /// event, before the answers that came after it; it must not call the client.
    ///
    /// # Errors
    /// If the system gives no thread or no way to wait for sockets.
    pub(crate) fn open(
        address: ConnectString,
        timeout: Duration,
        read_only: bool,
        listen: impl FnMut(Event) + Send + 'static,
    ) -> io::Result<Self> {
        let connection = Connection::new(Session::new(address, timeout, read_only), listen)?;
        let shared = connection.shared();
        thread::Builder::new().name("client".into()).spawn(move || connection.run())?;
        Ok(Self { shared })
    }

    /// How the session is now.
    pub(crate) fn state(&self) -> State {
        self.shared.session().state()
    }

    /// Ends the session; its ephemeral nodes go.
    pub(crate) fn close(&self) {
        let pending: Pending<()> = self.start(OpCode::CloseSession, None, &(), Effect::Nothing);
        // A server that does not answer sees the session expire.
        let _ = pending.answer.recv_timeout(GOODBYE);
    }

    /// Creates a node; its path, which has a number behind it if it is sequential.
    ///
    /// # Errors
    /// As the server says, and for what is no path. So with all other requests.
    pub(crate) fn create(
        &self,
        path: &str,
        data: Option<&[u8]>,
        acl: Vec<Acl>,
        mode: CreateMode,
        sequential: bool,
    ) -> Result<String, Error> {
        if sequential {
            path::validate(&format!("{path}1"))?;
        } else {
            path::validate(path)?;
        }
        let flags = match mode {
            CreateMode::Persistent => 0,
            CreateMode::Ephemeral => 1,
            CreateMode::Container => 4,
            CreateMode::Ttl(_) => 5,
        };
        let flags = match (sequential, flags) {
            (false, flags) => flags,
            (true, 5) => 6,
            (true, flags) => flags + 2,
        };
        let create =
            Create { path: self.to_server(path), data: data.map(Bytes::from), acl: Some(acl), flags };
        let pending: Pending<String> = match mode {
            CreateMode::Ttl(ttl) => {
                self.start(OpCode::CreateTtl, Some(path), &CreateTtl { create, ttl }, Effect::Nothing)
            }
            CreateMode::Container => {
                self.start(OpCode::CreateContainer, Some(path), &create, Effect::Nothing)
            }
            _ => self.start(OpCode::Create, Some(path), &create, Effect::Nothing),
        };
        Ok(self.to_client(&pending.wait()?))
    }

    /// Deletes a node that has this version, -1 for any.
    pub(crate) fn delete(&self, path: &str, version: i32) -> Result<(), Error> {
        path::validate(path)?;
        let delete = Delete { path: self.to_server(path), version };
        self.start(OpCode::Delete, Some(path), &delete, Effect::Nothing).wait()
    }

    /// Deletes these nodes, all or none, in this order; does not wait.
    pub(crate) fn delete_all(&self, paths: &[String]) -> Pending<MultiHeader> {
        let header = MultiHeader { op: OpCode::Delete.code(), done: false, err: -1 };
        let deletes = paths.iter().map(|path| (header, Delete { path: self.to_server(path), version: -1 }));
        let mut body = Vec::new();
        deletes.for_each(|delete| jute::encode_into(&mut body, &delete));
        jute::encode_into(&mut body, &MultiHeader::END);
        self.start_encoded(OpCode::Multi, None, body, Effect::Nothing)
    }

    /// The node, if it exists.
    pub(crate) fn exists(&self, path: &str, watch: bool) -> Result<Option<Stat>, Error> {
        match self.read(OpCode::Exists, path, watch, Waits::Exist) {
            Err(error) if error.is(ErrorCode::NoNode) => Ok(None),
            result => result.map(Some),
        }
    }

    /// The data of a node, and the node.
    pub(crate) fn data(&self, path: &str, watch: bool) -> Result<GetDataResponse, Error> {
        self.read(OpCode::GetData, path, watch, Waits::Data)
    }

    /// The names of the children, sorted, and the node.
    pub(crate) fn children(&self, path: &str, watch: bool) -> Result<GetChildren2Response, Error> {
        let mut answer: GetChildren2Response = self.read(OpCode::GetChildren2, path, watch, Waits::Child)?;
        answer.children.sort();
        Ok(answer)
    }

    /// Replaces the data of a node that has this version, -1 for any.
    pub(crate) fn set_data(&self, path: &str, data: &[u8], version: i32) -> Result<Stat, Error> {
        path::validate(path)?;
        let set = SetData { path: self.to_server(path), data: Some(data.into()), version };
        self.start(OpCode::SetData, Some(path), &set, Effect::Nothing).wait()
    }

    /// The access control list of a node, and the node.
    pub(crate) fn acl(&self, path: &str) -> Result<GetAclResponse, Error> {
        self.ask_about(OpCode::GetAcl, path)
    }

    /// Replaces it, if it has this version, -1 for any.
    pub(crate) fn set_acl(&self, path: &str, acl: Vec<Acl>, version: i32) -> Result<Stat, Error> {
        path::validate(path)?;
        let set = SetAcl { path: self.to_server(path), acl: Some(acl), version };
        self.start(OpCode::SetAcl, Some(path), &set, Effect::Nothing).wait()
    }

    /// Waits until the server has everything that was committed before.
    pub(crate) fn sync(&self, path: &str) -> Result<(), Error> {
        self.ask_about(OpCode::Sync, path).map(|_: String| ())
    }

    /// How many nodes are below one.
    pub(crate) fn all_children_number(&self, path: &str) -> Result<i32, Error> {
        self.ask_about(OpCode::GetAllChildrenNumber, path)
    }

    /// The session's own ephemeral nodes at or below a path, sorted.
    pub(crate) fn ephemerals(&self, path: &str) -> Result<Vec<String>, Error> {
        let paths: Vec<String> = self.ask_about(OpCode::GetEphemerals, path)?;
        let mut paths: Vec<_> = paths.iter().map(|path| self.to_client(path)).collect();
        paths.sort();
        Ok(paths)
    }

    /// Arms a watch that stays, on a node, or with `recursive` on all below it too.
    pub(crate) fn add_watch(&self, path: &str, recursive: bool) -> Result<(), Error> {
        path::validate(path)?;
        let waits = if recursive { Waits::Recursive } else { Waits::Persistent };
        let add = AddWatch { path: Some(self.to_server(path).into()), mode: i32::from(recursive) };
        let pending: Pending<i32> =
            self.start(OpCode::AddWatch, Some(path), &add, Effect::Arms(waits, self.to_server(path)));
        pending.wait().map(|_| ())
    }

    /// Takes watches away; with `locally` also when no server can be told.
    pub(crate) fn remove_watches(&self, path: &str, which: WatcherType, locally: bool) -> Result<(), Error> {
        path::validate(path)?;
        if !self.shared.session().has_watch(which, path) {
            return Err(Error::new(ErrorCode::NoWatcher.code(), path));
        }
        let body =
            zabrus_core::wire::WatcherType { path: Some(self.to_server(path).into()), kind: which as i32 };
        self.start(OpCode::RemoveWatches, Some(path), &body, Effect::Removes { which, locally }).wait()
    }

    /// Proves an identity on this connection and all that follow. A refusal ends the session.
    pub(crate) fn add_auth(&self, scheme: &str, auth: Option<&[u8]>) {
        let auth = Auth { kind: 0, scheme: scheme.to_owned(), auth: auth.map(Bytes::from) };
        self.shared.session().add_auth(clock::monotonic(), auth);
        self.shared.wake();
    }

    /// The identities of this connection: schemes and users.
    pub(crate) fn who_am_i(&self) -> Result<Vec<(String, String)>, Error> {
        self.start(OpCode::WhoAmI, None, &(), Effect::Nothing).wait()
    }

    /// The ensemble's configuration, whatever the root of this client is.
    pub(crate) fn config(&self, watch: bool) -> Result<GetDataResponse, Error> {
        let body = PathWatch { path: CONFIG.into(), watch };
        self.start(OpCode::GetData, Some(CONFIG), &body, arming(watch, Waits::Data, CONFIG.to_owned())).wait()
    }

    /// Changes the ensemble; the new configuration.
    pub(crate) fn reconfig(&self, change: &Reconfig) -> Result<GetDataResponse, Error> {
        let body = (&change.joining, &change.leaving, &change.members, change.version);
        self.start(OpCode::Reconfig, None, &body, Effect::Nothing).wait()
    }

    fn read<T: DeserializeOwned>(
        &self,
        op: OpCode,
        path: &str,
        watch: bool,
        waits: Waits,
    ) -> Result<T, Error> {
        path::validate(path)?;
        let server_path = self.to_server(path);
        let body = PathWatch { path: server_path.as_str().into(), watch };
        self.start(op, Some(path), &body, arming(watch, waits, server_path.clone())).wait()
    }

    fn ask_about<T: DeserializeOwned>(&self, op: OpCode, path: &str) -> Result<T, Error> {
        path::validate(path)?;
        self.start(op, Some(path), &PathOnly { path: self.to_server(path).into() }, Effect::Nothing).wait()
    }

    fn to_server(&self, path: &str) -> String {
        self.shared.session().address().to_server(path)
    }

    fn to_client(&self, path: &str) -> String {
        self.shared.session().address().to_client(path)
    }

    fn start<T>(&self, op: OpCode, path: Option<&str>, body: &impl Serialize, effect: Effect) -> Pending<T> {
        self.start_encoded(op, path, jute::encode(body), effect)
    }

    fn start_encoded<T>(&self, op: OpCode, path: Option<&str>, body: Vec<u8>, effect: Effect) -> Pending<T> {
        let (send, answer) = mpsc::channel();
        let path = path.map(str::to_owned);
        let now = clock::monotonic();
        let call = Call { op, body, path: path.clone(), effect, since: now, answer: send };
        self.shared.session().call(now, call);
        self.shared.wake();
        Pending { answer, path, record: PhantomData }
    }
}

fn arming(watch: bool, waits: Waits, path: String) -> Effect {
    if watch { Effect::Arms(waits, path) } else { Effect::Nothing }
}
