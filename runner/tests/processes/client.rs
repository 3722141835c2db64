//! A client of the core's present service. ZooKeeper's protocol will take its place.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use zabrus_core::codec;
use zabrus_core::service::{Answer, Change, Operation, Refusal, Request, Response};

pub(crate) struct Client {
    stream: TcpStream,
    xid: u64,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { stream, xid: 0 })
    }

    pub(crate) fn create(&mut self, path: &str, data: &[u8]) -> io::Result<()> {
        let change = Change::Create { path: path.into(), data: data.into() };
        self.ask(Operation::Change(change)).map(|result| assert!(result.is_ok(), "{path}: {result:?}"))
    }

    /// Creates a node that an earlier attempt may have created, whose answer was lost.
    pub(crate) fn ensure(&mut self, path: &str, data: &[u8]) -> io::Result<()> {
        let change = Change::Create { path: path.into(), data: data.into() };
        let result = self.ask(Operation::Change(change))?;
        assert!(matches!(result, Ok(_) | Err(Refusal::NodeExists)), "{path}: {result:?}");
        Ok(())
    }

    /// The data of a node, after everything that was done before this question.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.ask(Operation::Sync)?.expect("a sync is never refused");
        match self.ask(Operation::Get { path: path.into() })? {
            Ok(Answer::Data { data, .. }) => Ok(Some(data.to_vec())),
            Err(Refusal::NoNode) => Ok(None),
            other => panic!("{other:?} is no answer to a read"),
        }
    }

    fn ask(&mut self, operation: Operation) -> io::Result<Result<Answer, Refusal>> {
        self.xid += 1;
        self.send(&codec::encode(&Request { xid: self.xid, operation }))?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut bytes)?;
        let response: Response = codec::decode(&bytes).expect("a response");
        assert_eq!(response.xid, self.xid);
        Ok(response.result)
    }

    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        // In one piece: otherwise the second one waits for the first to be acknowledged.
        self.stream.write_all(&[&(frame.len() as u32).to_be_bytes(), frame].concat())
    }
}
