//! Accepts connections, shakes hands, serves and drains.

use std::{
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connections::{Connection, Connections, Limits, Place},
    ended::Refused,
    metrics::Metrics,
    tls::Certificates,
};

/// How much of a request hyper buffers: more than any header that the API server sends.
const BUFFER: usize = 64 * 1024;
/// How long the last requests may take after the port is closed.
const LAST: Duration = Duration::from_secs(20);

/// A port that is bound, and not yet served.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    metrics: Arc<Metrics>,
}

impl Listener {
    /// Binds a port; with certificates it speaks HTTPS, otherwise plain HTTP. Port 0 means any that is free.
    pub async fn bind(
        address: SocketAddr,
        certificates: Option<Arc<Certificates>>,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let tls = certificates.map(Certificates::acceptor).transpose();
        Ok(Self {
            tcp: TcpListener::bind(address).await?,
            tls: tls.map_err(io::Error::other)?,
            limits,
            metrics,
        })
    }

    /// The address that is bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `stop`, then lets the requests in flight end: comes back when the last one is answered, at the
    /// latest after 20 seconds.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let port = Port {
            tls: self.tls,
            connections: Arc::new(Connections::new(self.limits)),
            limits: self.limits,
            metrics: self.metrics,
            service: TowerToHyperService::new(router),
        };
        let port = Arc::new(port);
        let tasks = TaskTracker::new();
        let reaper = tokio::spawn(port.clone().reap());
        tokio::select! {
            () = port.clone().accept(self.tcp, &tasks) => {}
            () = stop.cancelled() => {}
        }
        // The port is closed by now: the future that held it is gone.
        port.connections.end();
        tasks.close();
        let _ = timeout(LAST, tasks.wait()).await;
        reaper.abort();
    }
}

/// What all connections of a port share.
struct Port {
    tls: Option<TlsAcceptor>,
    connections: Arc<Connections>,
    limits: Limits,
    metrics: Arc<Metrics>,
    service: TowerToHyperService<Router>,
}

impl Port {
    async fn accept(self: Arc<Self>, tcp: TcpListener, tasks: &TaskTracker) {
        /// Pause after the system could not hand over a connection: it mostly has no file descriptors left, and
        /// needs a moment until some are closed.
        const PAUSE: Duration = Duration::from_millis(100);
        let evicted = || self.metrics.refused(Refused::Evicted);
        loop {
            match tcp.accept().await {
                Ok((stream, _)) => {
                    // Room is made for a connection that is there, not for one that may come.
                    let Some(permit) = self.connections.room(evicted).await else {
                        return;
                    };
                    let place = self.connections.open(permit);
                    tasks.spawn(self.clone().serve(stream, place));
                }
                Err(error) => {
                    self.metrics.accept_errors.inc();
                    tracing::debug!("cannot accept a connection: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn reap(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.connections.reap(|reason| self.metrics.refused(reason));
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, place: Place) {
        // Without it small answers wait for the acknowledgement of earlier ones. Failing to set it costs only time.
        let _ = stream.set_nodelay(true);
        let connection = &place.connection;
        let Some(acceptor) = &self.tls else {
            return self.http(stream, connection).await;
        };
        self.metrics.connections.inc();
        tokio::select! {
            tls = timeout(self.limits.handshake, handshake(stream, acceptor)) => match tls {
                Ok(Ok(tls)) => self.http(tls, connection).await,
                Ok(Err(Some(reason))) => self.metrics.refused(reason),
                Ok(Err(None)) => {}
                Err(_) => self.metrics.refused(Refused::Handshake),
            },
            () = connection.ending() => {}
        }
        self.metrics.connections.dec();
    }

    async fn http<S>(&self, stream: S, connection: &Connection)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        /// How long a connection that was asked to end may take, while no request is being answered.
        const PATIENCE: Duration = Duration::from_secs(1);
        let service = service_fn(|request: Request<Incoming>| {
            connection.busy();
            let answer = self.service.call(request);
            async move {
                let answer = answer.await;
                connection.idle();
                answer
            }
        });
        let stream = TokioIo::new(Watched { stream, connection });
        let mut http = pin!(
            http1::Builder::new()
                .header_read_timeout(None)
                .max_buf_size(BUFFER)
                .serve_connection(stream, service)
        );
        tokio::select! {
            // An error is the client's: it went away, or sent what is no HTTP. hyper has answered what can be.
            _ = http.as_mut() => return,
            () = connection.ending() => http.as_mut().graceful_shutdown(),
        }
        while timeout(PATIENCE, http.as_mut()).await.is_err() && connection.is_busy() {}
    }
}

/// Turns a connection into an encrypted one, or says why it was not; `None` if the client left without a word, as
/// the probes of load balancers do.
async fn handshake(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
) -> Result<TlsStream<TcpStream>, Option<Refused>> {
    /// First byte of a TLS handshake record (RFC 8446, section 5.1).
    const HANDSHAKE: u8 = 22;
    const PLAIN: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\
        content-length: 35\r\n\r\nThis port speaks HTTPS, not HTTP.\r\n";
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(0) | Err(_) => Err(None),
        Ok(_) if first != [HANDSHAKE] => {
            // What was sent is read first: closing a connection with unread bytes would take the answer with it.
            let _ = stream.try_read(&mut [0; 4096]);
            let _ = stream.try_write(PLAIN);
            Err(Some(Refused::Plain))
        }
        Ok(_) => acceptor.accept(stream).await.map_err(|error| {
            tracing::debug!("TLS handshake: {error}");
            Some(Refused::Handshake)
        }),
    }
}

/// A stream that notes when something is read from it.
struct Watched<'c, S> {
    stream: S,
    connection: &'c Connection,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.connection.read();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
