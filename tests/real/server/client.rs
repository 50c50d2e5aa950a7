//! A client of the server: one connection, spoken to by hand.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::aws_lc_rs,
    pki_types::ServerName,
};
use serde_json::Value;

/// Longest wait for anything that the server should do.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection, byte by byte in the hands of the test.
pub(crate) struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    /// What was read beyond the last answer.
    left: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The whole head, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// What a client trusts, and speaks.
pub(crate) fn trusting(certificate: &[u8]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.to_vec().into()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

impl Client {
    /// Connects, and ends the handshake.
    pub(crate) fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(tls, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self {
            stream,
            left: Vec::new(),
        })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Sends a whole request.
    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Response> {
        self.send(&head(path, "application/json", body.len()))?;
        self.send(body)?;
        self.response()
    }

    /// Reads one answer.
    pub(crate) fn response(&mut self) -> io::Result<Response> {
        let mut read = std::mem::take(&mut self.left);
        let mut part = [0; 8192];
        let end = loop {
            if let Some(end) = read.windows(4).position(|at| at == b"\r\n\r\n") {
                break end;
            }
            match self.stream.read(&mut part)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => read.extend_from_slice(&part[..n]),
            }
        };
        let mut body = read.split_off(end + 4);
        let head = String::from_utf8(read).unwrap().to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().trim().parse().unwrap();
        while body.len() < length {
            match self.stream.read(&mut part)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => body.extend_from_slice(&part[..n]),
            }
        }
        self.left = body.split_off(length);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Response { status, head, body })
    }

    /// Whether the server ends the connection without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        if !self.left.is_empty() {
            return false;
        }
        match self.stream.read(&mut [0; 1]) {
            Ok(n) => n == 0,
            Err(error) => !matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ),
        }
    }

    /// The protocol that the server chose.
    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.stream.conn.alpn_protocol()
    }

    /// Waits for that long at most from now on.
    pub(crate) fn patience(&self, longest: Duration) {
        self.stream.sock.set_read_timeout(Some(longest)).unwrap();
    }
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The head of a request, and the end of it.
pub(crate) fn head(path: &str, media: &str, length: usize) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes()
}

/// One request to a plain port, on a connection of its own.
pub(crate) fn plain(address: SocketAddr, request: &[u8]) -> io::Result<String> {
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.write_all(request)?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer)?;
    Ok(answer)
}
