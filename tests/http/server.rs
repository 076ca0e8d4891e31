//! An upstream of the tests' own, on raw sockets: it can misbehave in every way, and counts what it is sent.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::PATIENCE;

/// A server that does with every connection what it was told.
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Seen>,
    listening: JoinHandle<()>,
}

/// What the server has seen so far.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<Received>>,
    /// Bytes that the kernel took from the server.
    said_bytes: AtomicUsize,
    changed: watch::Sender<()>,
}

/// Anything that bytes go through, TCP or TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Lets the next close be a reset.
    fn prepare_reset(&self) {}
}

impl Stream for TcpStream {
    fn prepare_reset(&self) {
        self.set_zero_linger().unwrap();
    }
}

pub type Wrapped = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

impl Upstream {
    /// Serves each connection with `serve`, in a task of its own.
    pub async fn start<F>(serve: impl Fn(Connection) -> F + Send + Sync + 'static) -> Upstream
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let plain = |stream: TcpStream| -> Wrapped {
            Box::pin(async { Ok(Box::new(stream) as Box<dyn Stream>) })
        };
        Upstream::start_wrapped(plain, serve).await
    }

    /// As [`Upstream::start`], with a handshake first.
    pub async fn start_wrapped<F>(
        wrap: impl Fn(TcpStream) -> Wrapped + Send + 'static,
        serve: impl Fn(Connection) -> F + Send + Sync + 'static,
    ) -> Upstream
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let serve = Arc::new(serve);
        let listening = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                let mut conversations = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let number = seen.connections.fetch_add(1, Ordering::SeqCst) + 1;
                    let (seen, serve, handshake) =
                        (Arc::clone(&seen), Arc::clone(&serve), wrap(stream));
                    conversations.spawn(async move {
                        if let Ok(stream) = handshake.await {
                            serve(Connection::new(stream, number, seen)).await;
                        }
                    });
                }
            }
        });
        Upstream {
            address,
            seen,
            listening,
        }
    }

    /// Answers every request on every connection.
    pub async fn answering(
        answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static,
    ) -> Upstream {
        let answer = Arc::new(answer);
        Upstream::start(move |connection| connection.answer_all(Arc::clone(&answer))).await
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/moneytransfer/v2", self.address)
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many bytes the server could get rid of.
    pub fn said_bytes(&self) -> usize {
        self.seen.said_bytes.load(Ordering::SeqCst)
    }

    /// All requests of which at least the head was read.
    pub fn received(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The requests for the operation with this method and path.
    pub fn received_at(&self, method: &str, path: &str) -> Vec<Received> {
        let mut received = self.received();
        received.retain(|request| request.method() == method && request.path() == path);
        received
    }

    /// Waits until so many requests were read.
    pub async fn wait_for(&self, count: usize) {
        let mut changes = self.seen.changed.subscribe();
        let enough = async {
            while self.received().len() < count {
                changes.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, enough).await;
        waited.expect("so many requests never came");
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // The conversations are owned by the listening task, and end with it.
        self.listening.abort();
    }
}

/// One connection, seen from the server.
pub struct Connection {
    stream: Box<dyn Stream>,
    /// 1 for the first connection that was accepted.
    pub number: usize,
    seen: Arc<Seen>,
    unread: Vec<u8>,
}

impl Connection {
    fn new(stream: Box<dyn Stream>, number: usize, seen: Arc<Seen>) -> Connection {
        Connection {
            stream,
            number,
            seen,
            unread: Vec::new(),
        }
    }

    async fn answer_all(mut self, answer: Arc<impl Fn(&Received) -> Vec<u8>>) {
        while let Some(request) = self.request().await {
            self.say(answer(&request)).await;
        }
    }

    /// Reads one request in whole; `None` once the client is gone.
    pub async fn request(&mut self) -> Option<Received> {
        let head_end = loop {
            if let Some(at) = find(&self.unread, b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head: Vec<u8> = self.unread.drain(..head_end).collect();
        let mut request = Received {
            connection: self.number,
            head: String::from_utf8(head).unwrap(),
            body: Vec::new(),
        };
        let length = request.header("content-length").unwrap_or("0");
        let length: usize = length.parse().unwrap();
        while self.unread.len() < length {
            self.read_more().await?;
        }
        request.body = self.unread.drain(..length).collect();
        self.seen.requests.lock().unwrap().push(request.clone());
        self.seen.changed.send_replace(());
        Some(request)
    }

    /// Waits until the client has sent something, and takes it without looking.
    pub async fn anything(&mut self) {
        let _ = self.read_more().await;
    }

    async fn read_more(&mut self) -> Option<()> {
        let count = self.stream.read_buf(&mut self.unread).await.ok()?;
        (count > 0).then_some(())
    }

    /// Says this; whether the client still takes it.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        let said = self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok();
        if said {
            self.seen
                .said_bytes
                .fetch_add(bytes.len(), Ordering::SeqCst);
        }
        said
    }

    /// Waits until the client closes the connection.
    pub async fn until_closed(mut self) {
        while self.read_more().await.is_some() {}
    }

    /// Ends the connection with a reset instead of a farewell.
    pub fn reset(self) {
        self.stream.prepare_reset();
    }
}

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Received {
    /// The number of the connection that it came over.
    pub connection: usize,
    /// Request line and headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    pub fn method(&self) -> &str {
        self.head.split(' ').next().unwrap()
    }

    /// What was asked for, with all parameters.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// The path below the base path.
    pub fn path(&self) -> &str {
        let path = self.target().split('?').next().unwrap();
        let below = path.split_once("/moneytransfer/v2");
        below.map_or(path, |(_, below)| below)
    }

    /// The decoded query parameters.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let query = self.target().split_once('?').map_or("", |(_, query)| query);
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.into_owned().collect()
    }

    /// The value of a header that is there once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut values = lines
            .filter_map(|line| line.split_once(": "))
            .filter(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
