//! A simulator whose answers are changed on their way: a server that breaks the interface's rules where
//! no fault of the simulator does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use money_transfer_retailer::simulator::Simulator;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A message to the simulator.
pub struct Asked {
    /// Method and path below the base URL, with the query.
    pub line: String,
    pub json: Value,
}

/// The simulator's answer.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

type Change = dyn Fn(&Asked, Answer) -> Answer + Send + Sync;

/// The server; it ends with this.
pub struct Server {
    address: SocketAddr,
    serving: JoinHandle<()>,
    _simulator: Simulator,
}

impl Server {
    pub async fn start(
        change: impl Fn(&Asked, Answer) -> Answer + Send + Sync + 'static,
    ) -> Server {
        let simulator = Simulator::start().await.unwrap();
        let upstream = simulator.address();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let change: Arc<Change> = Arc::new(change);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let change = Arc::clone(&change);
                tokio::spawn(async move {
                    // A client that leaves is no concern of ours.
                    let _left = serve(stream, upstream, &*change).await;
                });
            }
        });
        Server {
            address,
            serving,
            _simulator: simulator,
        }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/moneytransfer/v2", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Asked {
    /// Whether it is this method and path: `POST /orders`.
    pub fn is(&self, line: &str) -> bool {
        self.line.split('?').next() == Some(line)
    }
}

impl Answer {
    pub fn is_success(&self) -> bool {
        self.status < 300
    }

    pub fn without(mut self, header: &str) -> Answer {
        self.headers.retain(|(name, _)| name != header);
        self
    }

    pub fn with(self, header: &str, value: &str) -> Answer {
        let mut changed = self.without(header);
        changed.headers.push((header.to_owned(), value.to_owned()));
        changed
    }

    fn read(bytes: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Answer {
            status: status.and_then(|status| status.parse().ok()).unwrap_or(500),
            headers: headers.collect(),
            body: body.as_bytes().to_vec(),
        }
        .without("content-length")
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} OK\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if self.status != 204 {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// Answers one message.
async fn serve(mut client: TcpStream, upstream: SocketAddr, change: &Change) -> io::Result<()> {
    let (head, body) = message(&mut client).await?;
    let mut connection = TcpStream::connect(upstream).await?;
    // One message for each connection, so that an answer ends where its connection does.
    let closing = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    connection.write_all(closing.as_bytes()).await?;
    connection.write_all(&body).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    let line = head.lines().next().unwrap_or_default();
    let asked = Asked {
        line: line
            .replace("/moneytransfer/v2", "")
            .replace(" HTTP/1.1", ""),
        json: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let answer = change(&asked, Answer::read(&answer)).with("connection", "close");
    client.write_all(&answer.bytes()).await?;
    client.shutdown().await
}

/// A request's head, with the empty line that ends it, and its body.
async fn message(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let lines = head.lines().map(str::to_ascii_lowercase);
    let mut lengths = lines.filter_map(|line| {
        let length = line.strip_prefix("content-length:")?;
        length.trim().parse::<usize>().ok()
    });
    let mut body = vec![0; lengths.next().unwrap_or_default()];
    client.read_exact(&mut body).await?;
    Ok((head, body))
}
