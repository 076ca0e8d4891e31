//! A server of version 2.5, which lets the same order be redeemed twice: a simulator, but for the second
//! redemption and its reversal.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use money_transfer_retailer::simulator::Simulator;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The server; it ends with this.
pub struct Server {
    address: SocketAddr,
    second: Arc<Second>,
    serving: JoinHandle<()>,
    _simulator: Simulator,
}

/// The second redemptions.
#[derive(Default)]
struct Second {
    approved: Mutex<Vec<String>>,
    reversed: Mutex<Vec<String>>,
}

impl Server {
    pub async fn start() -> Server {
        let simulator = Simulator::start().await.unwrap();
        let upstream = simulator.address();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let second = Arc::new(Second::default());
        let shared = Arc::clone(&second);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let second = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that leaves is no concern of ours.
                    let _left = serve(stream, upstream, &second).await;
                });
            }
        });
        Server {
            address,
            second,
            serving,
            _simulator: simulator,
        }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/moneytransfer/v2", self.address)
    }

    /// The requests of the second redemptions that were reversed.
    pub fn reversed(&self) -> Vec<String> {
        self.second.reversed.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Second {
    /// An answer of our own, where the simulator's is another than that version's.
    fn answer(&self, head: &str, body: &Value, answer: &str) -> Option<(u16, Value)> {
        let id = |name: &str| body[name].as_str().unwrap().to_owned();
        if head.starts_with("POST /moneytransfer/v2/orders/redemptions HTTP")
            && answer.contains("ALREADY_REDEEMED")
        {
            self.approved.lock().unwrap().push(id("id"));
            let members = ["id", "time", "originator", "client", "receiver", "amount"];
            let echoed = members.map(|name| (name.to_owned(), body[name].clone()));
            return Some((201, Value::Object(echoed.into_iter().collect())));
        }
        let is_reversal = head.starts_with("POST /moneytransfer/v2/orders/redemptions/reversals");
        if is_reversal && self.approved.lock().unwrap().contains(&id("requestId")) {
            self.reversed.lock().unwrap().push(id("requestId"));
            return Some((202, json!({ "id": id("id"), "requestId": id("requestId") })));
        }
        None
    }
}

/// Answers one message.
async fn serve(mut client: TcpStream, upstream: SocketAddr, second: &Second) -> io::Result<()> {
    let (head, body) = message(&mut client).await?;
    let mut connection = TcpStream::connect(upstream).await?;
    // One message for each connection, so that an answer ends where its connection does.
    let closing = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    connection.write_all(closing.as_bytes()).await?;
    connection.write_all(&body).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    let json = serde_json::from_slice(&body).unwrap_or_default();
    let own = second.answer(&head, &json, &String::from_utf8_lossy(&answer));
    if let Some((status, json)) = own {
        let body = json.to_string();
        let length = body.len();
        let head = format!("HTTP/1.1 {status} OK\r\ncontent-type: application/json");
        answer =
            format!("{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").into();
    }
    client.write_all(&answer).await?;
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
