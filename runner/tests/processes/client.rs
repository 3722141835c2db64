//! A small ZooKeeper client: it asks, and waits for the answer.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde::Serialize;
use zabrus_core::jute::{self, Decoder};
use zabrus_core::wire::{
    Acl, ConnectRequest, ConnectResponse, Create, ErrorCode, GetChildren2Response, GetDataResponse, Id,
    OpCode, PathWatch, Permissions, ReplyHeader, RequestHeader, SessionId, Stat, xid,
};

/// What an operation came to, if there was an answer.
pub(crate) type Answer = io::Result<Result<Vec<u8>, ErrorCode>>;

/// Every node with its data and its stat.
pub(crate) type Tree = BTreeMap<String, (Option<Vec<u8>>, Stat)>;

/// How many questions are on their way at once when there are many.
const WINDOW: usize = 200;

pub(crate) struct Client {
    stream: TcpStream,
    xid: i32,
}

impl Client {
    /// A client with a session of its own.
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        Self::connect_patiently(port, Duration::from_secs(20))
    }

    /// As [`Client::connect`]; it waits for each answer for so long.
    pub(crate) fn connect_patiently(port: u16, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(patience))?;
        let mut client = Self { stream, xid: 0 };
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 30_000,
            session: SessionId(0),
            password: None,
            read_only: Some(false),
        };
        client.stream.write_all(&framed(&hello.encode()))?;
        let response = ConnectResponse::decode(&client.receive()?).expect("a handshake");
        assert!(response.timeout > 0, "a new session is granted");
        Ok(client)
    }

    pub(crate) fn create(&mut self, path: &str, data: &[u8]) -> io::Result<()> {
        self.try_create(path, data).map(|result| assert!(result.is_ok(), "{path}: {result:?}"))
    }

    /// Creates a node that an earlier attempt may have created, whose answer was lost.
    pub(crate) fn ensure(&mut self, path: &str, data: &[u8]) -> io::Result<()> {
        let result = self.try_create(path, data)?;
        assert!(matches!(result, Ok(_) | Err(ErrorCode::NodeExists)), "{path}: {result:?}");
        Ok(())
    }

    pub(crate) fn try_create(&mut self, path: &str, data: &[u8]) -> Answer {
        self.ask(OpCode::Create, &creation(path, data))
    }

    /// The data of a node, after everything that was done before this question.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.ask(OpCode::Sync, &path)?.expect("a sync is never refused");
        self.read(path)
    }

    /// The data of a node, as this server knows it.
    pub(crate) fn read(&mut self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let answer = self.ask(OpCode::GetData, &look(path))?;
        Ok(data_and_stat(answer).and_then(|(data, _)| data))
    }

    /// All nodes, after everything that was done before this question.
    pub(crate) fn tree(&mut self) -> io::Result<Tree> {
        self.ask(OpCode::Sync, &"/")?.expect("a sync is never refused");
        let (mut tree, mut level) = (Tree::new(), vec![String::from("/")]);
        while !level.is_empty() {
            let answers = self.ask_all(OpCode::GetData, &level)?;
            let nodes = level.iter().zip(answers).map(|(path, answer)| (path.clone(), data_and_stat(answer)));
            tree.extend(nodes.filter_map(|(path, node)| node.map(|node| (path, node))));
            level.retain(|path| tree.get(path).is_some_and(|(_, stat)| stat.num_children > 0));
            let mut children = Vec::new();
            for (path, answer) in level.iter().zip(self.ask_all(OpCode::GetChildren2, &level)?) {
                let answer: Option<GetChildren2Response> =
                    answer.ok().map(|body| jute::decode(&body).expect("children and stat"));
                let names = answer.into_iter().flat_map(|answer| answer.children);
                children.extend(names.map(|name| format!("{}/{name}", path.trim_end_matches('/'))));
            }
            level = children;
        }
        Ok(tree)
    }

    /// Says that it is alive.
    pub(crate) fn ping(&mut self) -> io::Result<()> {
        let header = RequestHeader { xid: xid::PING, op: OpCode::Ping.code() };
        self.stream.write_all(&framed(&jute::encode(&header)))?;
        self.answer(xid::PING)?.expect("a ping is never refused");
        Ok(())
    }

    pub(crate) fn ask(&mut self, op: OpCode, body: &impl Serialize) -> Answer {
        let frame = self.request(op, body);
        self.stream.write_all(&frame)?;
        self.answer(self.xid)
    }

    /// Asks the same of many nodes.
    fn ask_all(&mut self, op: OpCode, paths: &[String]) -> io::Result<Vec<Result<Vec<u8>, ErrorCode>>> {
        let mut answers = Vec::with_capacity(paths.len());
        for paths in paths.chunks(WINDOW) {
            let first = self.xid + 1;
            let frames: Vec<_> = paths.iter().map(|path| self.request(op, &look(path))).collect();
            self.stream.write_all(&frames.concat())?;
            for xid in first..=self.xid {
                answers.push(self.answer(xid)?);
            }
        }
        Ok(answers)
    }

    fn request(&mut self, op: OpCode, body: &impl Serialize) -> Vec<u8> {
        self.xid += 1;
        let mut frame = jute::encode(&RequestHeader { xid: self.xid, op: op.code() });
        jute::encode_into(&mut frame, body);
        framed(&frame)
    }

    fn answer(&mut self, xid: i32) -> Answer {
        let bytes = self.receive()?;
        let mut decoder = Decoder::new(&bytes);
        let header: ReplyHeader = decoder.read().expect("a header");
        assert_eq!(header.xid, xid);
        Ok(match header.err {
            0 => Ok(decoder.remaining().to_vec()),
            code => Err(ErrorCode::from_code(code).expect("a known error")),
        })
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// In one piece: otherwise the second one waits for the first to be acknowledged.
fn framed(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes(), frame].concat()
}

/// A node that anybody may use.
pub(crate) fn creation(path: &str, data: &[u8]) -> Create {
    let anyone = Id { scheme: "world".into(), id: "anyone".into() };
    let acl = Some(vec![Acl { perms: Permissions::ALL, id: anyone }]);
    Create { path: path.into(), data: Some(data.into()), acl, flags: 0 }
}

fn look(path: &str) -> PathWatch<'_> {
    PathWatch { path: path.into(), watch: false }
}

/// What getData answered; nothing if the node is not there.
fn data_and_stat(answer: Result<Vec<u8>, ErrorCode>) -> Option<(Option<Vec<u8>>, Stat)> {
    match answer {
        Ok(body) => {
            let GetDataResponse { data, stat } = jute::decode(&body).expect("data and stat");
            Some((data.map(|data| data.to_vec()), stat))
        }
        Err(ErrorCode::NoNode) => None,
        Err(other) => panic!("{other:?} is no answer to a read"),
    }
}
