//! The stretch of the way between a till and the server on which everything is written down.
//!
//! ```text
//!  till ──http──▶ relay ──http or https──▶ server
//!                   └──▶ wire: each exchange, as it was
//! ```
//!
//! 1. A message and its answer pass unchanged, but for what says how long a body is and whom a
//!    connection is kept for.
//! 2. A message goes on at most once: no redirects, no repeats.
//! 3. What a till could not have had without the relay it does not have with it: where the server
//!    hangs, the relay hangs; where the server breaks off, so does the relay; and a till that hangs up
//!    ends the exchange with the server, too.
//! 4. An exchange is on the wire's list before the till can know what came of it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use reqwest::{Client, Method, Response, Url, redirect, retry};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::Trouble;
use super::server::Server;
use super::told;
use super::wire::{End, Head, Noting, Sent, Wire};

/// As a client without any other settings has it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What belongs to one connection, and not to the message.
const OF_A_CONNECTION: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// The server behind all relays of a run: its connections are kept and used again.
#[derive(Clone)]
pub(crate) struct Upstream {
    client: Client,
    base: Url,
}

/// A relay of one till; it ends with this.
pub(crate) struct Relay {
    address: SocketAddr,
    /// The path of the server's base URL, which is the relay's, too.
    base_path: String,
    wire: Wire,
    serving: JoinHandle<()>,
}

impl Upstream {
    /// Sets up the way to the server, as the crate's client does; connects to nothing yet.
    pub(crate) fn new(server: &Server) -> Result<Upstream, Trouble> {
        let base: Url = server.base_url.trim_end_matches('/').parse()?;
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT.min(server.timeout / 2));
        #[cfg(feature = "rustls")]
        let builder = builder.tls_backend_rustls();
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        let builder = match base.scheme() {
            // A machine without certificates is then as good as any.
            "http" => builder.tls_certs_only(Vec::new()),
            _ => builder,
        };
        Ok(Upstream {
            client: builder.build()?,
            base,
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The header by which the server knows the till.
    pub(crate) fn authorization(&self, server: &Server) -> Result<String, Trouble> {
        let request = self.client.get(self.base.clone());
        let request = request.basic_auth(&server.user, Some(server.password.expose()));
        let request = request.build()?;
        let header = request.headers().get(AUTHORIZATION);
        let header = header.ok_or("HTTP Basic without a header")?;
        Ok(header.to_str()?.to_owned())
    }

    /// Where a message goes that the till sent to `target`, path and query.
    fn url(&self, target: &str) -> Option<Url> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut url = self.base.clone();
        url.set_path(path);
        url.set_query(query);
        (url.origin() == self.base.origin()).then_some(url)
    }
}

impl Relay {
    pub(crate) async fn start(upstream: Upstream) -> io::Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, wire) = (listener.local_addr()?, Wire::default());
        let base_path = upstream.base.path().trim_end_matches('/').to_owned();
        let way = Arc::new(Way {
            upstream,
            base_path: base_path.clone(),
            wire: wire.clone(),
        });
        Ok(Relay {
            address,
            base_path,
            wire,
            serving: tokio::spawn(serve_all(listener, way)),
        })
    }

    /// What the till takes for the server.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}{}", self.address, self.base_path)
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// From one till to the server.
struct Way {
    upstream: Upstream,
    base_path: String,
    wire: Wire,
}

async fn serve_all(listener: TcpListener, way: Arc<Way>) {
    // Dropped with this task, and all of them with it.
    let mut connections = JoinSet::new();
    while let Ok((till, _)) = listener.accept().await {
        let way = Arc::clone(&way);
        connections.spawn(async move {
            // A till that hangs up has written its reason down itself.
            let _hung_up = way.serve(till).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A message as the till sent it.
struct Request {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Way {
    /// One message, one answer: then the connection is closed.
    async fn serve(&self, mut till: TcpStream) -> io::Result<()> {
        let (from_till, mut to_till) = till.split();
        let mut from_till = BufReader::new(from_till);
        let request = read_request(&mut from_till).await?;
        let noting = self.wire.begin(self.sent(&request));
        tokio::select! {
            passed = self.pass(request, &noting, &mut to_till) => passed?,
            () = hung_up(&mut from_till) => return Ok(()),
        }
        to_till.shutdown().await
    }

    fn sent(&self, request: &Request) -> Sent {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let query = reqwest::Url::parse(&format!("http://till/?{query}"));
        Sent {
            method: request.method.clone(),
            path: path
                .strip_prefix(&self.base_path)
                .unwrap_or(path)
                .to_owned(),
            query: query.map_or(Vec::new(), |url| url.query_pairs().into_owned().collect()),
            body: request.body.clone(),
        }
    }

    async fn pass(
        &self,
        request: Request,
        noting: &Noting,
        to_till: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let Some(url) = self.upstream.url(&request.target) else {
            return Ok(());
        };
        let sending = self.upstream.client.request(request.method, url);
        let sending = sending.headers(request.headers).body(request.body);
        let response = match sending.send().await {
            Ok(response) => response,
            Err(error) => {
                noting.end(without_answer(error));
                return Ok(());
            }
        };
        noting.answered(head_of(&response));
        match self.wire.is_withheld(noting) {
            true => withhold(response, noting).await,
            false => return pass_back(response, noting, to_till).await,
        }
        Ok(())
    }
}

fn without_answer(error: reqwest::Error) -> End {
    // The URL may carry an identity number.
    let error = error.without_url();
    match error.is_connect() || error.is_builder() {
        true => End::NotConnected(told(&error)),
        false => End::Broken,
    }
}

fn head_of(response: &Response) -> Head {
    let text = |name| {
        let value: &HeaderValue = response.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Head {
        status: response.status().as_u16(),
        content_type: text(CONTENT_TYPE),
        location: text(LOCATION),
    }
}

/// Takes the whole answer, and keeps it from the till. One that breaks off was never whole.
async fn withhold(mut response: Response, noting: &Noting) {
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => noting.received(&piece),
            Ok(None) => return noting.end(End::Withheld),
            Err(_) => return noting.end(End::CutOff),
        }
    }
}

/// Gives the answer to the till piece by piece, as it comes.
async fn pass_back(
    mut response: Response,
    noting: &Noting,
    to_till: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let has_body = !matches!(response.status().as_u16(), 204 | 304);
    if !has_body {
        noting.end(End::Complete);
    }
    to_till.write_all(&head_bytes(&response, has_body)).await?;
    match has_body {
        true => pass_body_back(&mut response, noting, to_till).await,
        false => Ok(()),
    }
}

async fn pass_body_back(
    response: &mut Response,
    noting: &Noting,
    to_till: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if piece.is_empty() => {}
            Ok(Some(piece)) => {
                noting.received(&piece);
                let size = format!("{:x}\r\n", piece.len());
                let framed = [size.as_bytes(), &piece, b"\r\n"].concat();
                to_till.write_all(&framed).await?;
            }
            Ok(None) => {
                noting.end(End::Complete);
                return to_till.write_all(b"0\r\n\r\n").await;
            }
            // Without the last piece the till knows that this is not all.
            Err(_) => {
                noting.end(End::CutOff);
                return Ok(());
            }
        }
    }
}

/// The length of a body is told piece by piece, so that it may break off.
fn head_bytes(response: &Response, has_body: bool) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {} \r\n", response.status().as_u16()).into_bytes();
    for (name, value) in response.headers() {
        if !OF_A_CONNECTION.contains(name) {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
    }
    if has_body {
        bytes.extend(b"transfer-encoding: chunked\r\n");
    }
    bytes.extend(b"connection: close\r\n\r\n");
    bytes
}

/// Reads a message. It comes from our own client, so that only its own ways are understood: a body has
/// its length in the head.
async fn read_request(from_till: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Request> {
    let first = read_line(from_till).await?;
    let mut words = first.split(' ');
    let (method, target) = (words.next(), words.next());
    let method = method.and_then(|method| method.parse().ok());
    let (Some(method), Some(target)) = (method, target) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (mut headers, mut length) = (HeaderMap::new(), 0);
    loop {
        let line = read_line(from_till).await?;
        if line.is_empty() {
            break;
        }
        let (name, value) = header(&line).ok_or(io::ErrorKind::InvalidData)?;
        if name == CONTENT_LENGTH {
            length = value
                .to_str()
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
        }
        if !OF_A_CONNECTION.contains(&name) {
            headers.append(name, value);
        }
    }
    let mut body = vec![0; length];
    from_till.read_exact(&mut body).await?;
    Ok(Request {
        method,
        target: target.to_owned(),
        headers,
        body,
    })
}

async fn read_line(from_till: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    match from_till.read_line(&mut line).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let name = name.parse().ok()?;
    let value = HeaderValue::from_bytes(value.trim_ascii().as_bytes()).ok()?;
    Some((name, value))
}

/// Ends when the till is gone: it says nothing more after its message.
async fn hung_up(from_till: &mut (impl AsyncRead + Unpin)) {
    let mut nothing = [0; 64];
    while matches!(from_till.read(&mut nothing).await, Ok(1..)) {}
}
