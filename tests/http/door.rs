//! A door in front of an upstream, which can be shut: then nobody listens, and no connection is made.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// An address that leads to an upstream as long as it is open.
pub(crate) struct Door {
    address: SocketAddr,
    upstream: SocketAddr,
    state: State,
}

enum State {
    Open(JoinHandle<()>),
    /// The port stays reserved, so that nobody else listens there.
    Shut {
        reserved: Option<TcpSocket>,
    },
}

impl Door {
    /// A shut door to this upstream.
    pub(crate) fn to(upstream: SocketAddr) -> Door {
        let socket = reserve("127.0.0.1:0".parse().unwrap()).unwrap();
        Door {
            address: socket.local_addr().unwrap(),
            upstream,
            state: State::Shut {
                reserved: Some(socket),
            },
        }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/moneytransfer/v2", self.address)
    }

    pub(crate) fn open(&mut self) {
        if let State::Shut { reserved } = &mut self.state {
            let listener = reserved.take().unwrap().listen(16).unwrap();
            self.state = State::Open(tokio::spawn(lead(listener, self.upstream)));
        }
    }

    /// Ends all that goes through it, too.
    pub(crate) async fn shut(&mut self) {
        if let State::Open(leading) = &mut self.state {
            leading.abort();
            let _aborted = leading.await;
            let reserved = Some(reserve(self.address).unwrap());
            self.state = State::Shut { reserved };
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let State::Open(leading) = &self.state {
            leading.abort();
        }
    }
}

/// A port that no one listens on: whoever connects to it is refused.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn lead(listener: TcpListener, upstream: SocketAddr) {
    let mut passing = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        passing.spawn(async move {
            let mut server = TcpStream::connect(upstream).await.unwrap();
            // A side that hangs up ends it, one way or the other.
            let _ended = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
