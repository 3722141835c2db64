//! A small ZooKeeper client: it creates, and reads what is true now.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde::Serialize;
use zabrus_core::jute::{self, Decoder};
use zabrus_core::wire::{
    Acl, ConnectRequest, ConnectResponse, Create, ErrorCode, GetDataResponse, Id, OpCode, PathWatch,
    Permissions, ReplyHeader, RequestHeader, SessionId,
};

pub(crate) struct Client {
    stream: TcpStream,
    xid: i32,
}

impl Client {
    /// A client with a session of its own.
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut client = Self { stream, xid: 0 };
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 30_000,
            session: SessionId(0),
            password: None,
            read_only: Some(false),
        };
        client.send(&hello.encode())?;
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

    fn try_create(&mut self, path: &str, data: &[u8]) -> io::Result<Result<Vec<u8>, ErrorCode>> {
        let anyone = Id { scheme: "world".into(), id: "anyone".into() };
        let acl = Some(vec![Acl { perms: Permissions::ALL, id: anyone }]);
        self.ask(OpCode::Create, &Create { path: path.into(), data: Some(data.into()), acl, flags: 0 })
    }

    /// The data of a node, after everything that was done before this question.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.ask(OpCode::Sync, &path)?.expect("a sync is never refused");
        match self.ask(OpCode::GetData, &PathWatch { path: path.into(), watch: false })? {
            Ok(body) => {
                let GetDataResponse { data, .. } = jute::decode(&body).expect("data and stat");
                Ok(data.map(|data| data.to_vec()))
            }
            Err(ErrorCode::NoNode) => Ok(None),
            Err(other) => panic!("{other:?} is no answer to a read"),
        }
    }

    /// The answer to any request.
    pub(crate) fn ask(
        &mut self,
        op: OpCode,
        body: &impl Serialize,
    ) -> io::Result<Result<Vec<u8>, ErrorCode>> {
        self.xid += 1;
        let mut frame = jute::encode(&RequestHeader { xid: self.xid, op: op.code() });
        jute::encode_into(&mut frame, body);
        self.send(&frame)?;
        let bytes = self.receive()?;
        let mut decoder = Decoder::new(&bytes);
        let header: ReplyHeader = decoder.read().expect("a header");
        assert_eq!(header.xid, self.xid);
        Ok(match header.err {
            0 => Ok(decoder.remaining().to_vec()),
            code => Err(ErrorCode::from_code(code).expect("a known error")),
        })
    }

    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        // In one piece: otherwise the second one waits for the first to be acknowledged.
        self.stream.write_all(&[&(frame.len() as u32).to_be_bytes(), frame].concat())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
