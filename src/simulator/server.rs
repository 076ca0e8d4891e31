//! The listening socket and its connections: up, down, and up again on the same port.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError},
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};

use super::{
    exchange::{TakeoverSlot, respond},
    takeover::Takeover,
    upstream::Shared,
};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// The first byte of a TLS handshake; no HTTP method starts with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// The network side of the simulator.
pub(super) struct Server {
    address: SocketAddr,
    line: Line,
}

enum Line {
    Up(Accepting),
    /// Not listening: connections are refused, and the bound socket keeps the port from everyone else.
    Down(Option<TcpSocket>),
}

struct Accepting {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Server {
    pub(super) fn start(address: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        let listener = bound(address)?.listen(BACKLOG)?;
        Ok(Server {
            address: listener.local_addr()?,
            line: Line::Up(accepting(listener, shared)),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, cuts every connection, and keeps the port.
    pub(super) async fn down(&mut self) -> io::Result<()> {
        if let Line::Up(accepting) = std::mem::replace(&mut self.line, Line::Down(None)) {
            // The other end is gone only if the task has ended already.
            let _ended = accepting.stop.send(());
            let _ended = accepting.task.await;
        }
        if let Line::Down(reserved @ None) = &mut self.line {
            *reserved = Some(bound(self.address)?);
        }
        Ok(())
    }

    /// Listens again.
    pub(super) fn up(&mut self, shared: Arc<Shared>) -> io::Result<()> {
        let Line::Down(reserved) = &mut self.line else {
            return Ok(());
        };
        let socket = reserved.take().map_or_else(|| bound(self.address), Ok)?;
        self.line = Line::Up(accepting(socket.listen(BACKLOG)?, shared));
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Line::Up(accepting) = &self.line {
            accepting.task.abort();
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Elsewhere than on Unix this option would let others take the port.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    Ok(socket)
}

fn accepting(listener: TcpListener, shared: Arc<Shared>) -> Accepting {
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept(&listener, &mut connections, &shared) => {}
            // An error means that the simulator is gone, which stops it as well.
            _ = stopped => {}
        }
        drop(listener);
        connections.shutdown().await;
    });
    Accepting { task, stop }
}

async fn accept(listener: &TcpListener, connections: &mut JoinSet<()>, shared: &Arc<Shared>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve(stream, Arc::clone(shared))); }
                // Out of file descriptors, or a client that left early: neither is for ever.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    if speaks_tls(&stream).await {
        return Takeover::tls_alert().perform(stream).await;
    }
    let _latency_only = stream.set_nodelay(true);
    let slot = TakeoverSlot::default();
    let service =
        service_fn(|request| Box::pin(respond(request, Arc::clone(&shared), Arc::clone(&slot))));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error is a client that left, a client that speaks no HTTP, or a takeover.
    let _ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    let takeover = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    takeover
        .unwrap_or_else(Takeover::close)
        .perform(stream)
        .await;
}

async fn speaks_tls(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1)) && first[0] == TLS_HANDSHAKE
}
