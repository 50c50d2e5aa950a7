//! Connections that do not behave, and more of them than there is room for.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use usher::{
    facts::{FactSource, NotReady, Offline, RightsSource, Tell},
    server::Limits,
};
use usher_core::{
    engine::{FactError, Facts, Mutation, Need},
    reference::Requester,
    rights::Rights,
};

use super::{Client, Served, offline, plain, pod, verdict};

const REFUSED: &str = "usher_connections_refused_total";

/// Whether a connection is still good for a request.
fn lives(client: &mut Client) -> bool {
    let review = pod("jane", "builder");
    client
        .post("/validate", review.to_string().as_bytes())
        .is_ok_and(|response| verdict(&review, &response).0)
}

#[test]
fn a_half_sent_header_is_not_waited_for() {
    let limits = Limits {
        header: Duration::from_millis(300),
        ..Limits::default()
    };
    let served = Served::start(offline(), limits);
    let mut quiet = served.client();
    let mut used = served.client();
    assert!(lives(&mut used));
    let mut half = served.client();
    half.send(b"POST /validate HTTP/1.1\r\nhost: local")
        .unwrap();
    let mut second = served.client();
    assert!(lives(&mut second));
    second.send(b"POST").unwrap();
    for client in [&mut half, &mut second] {
        client.patience(Duration::from_secs(5));
        assert!(client.is_closed());
    }
    served.await_metric(&format!("{REFUSED}{{reason=\"header\"}}"), 2.0);
    // Connections without a begun request are left alone.
    assert!(lives(&mut used));
    assert!(lives(&mut quiet));
}

#[test]
fn an_idle_connection_ends_in_time() {
    let limits = Limits {
        idle: Duration::from_millis(500),
        ..Limits::default()
    };
    let served = Served::start(offline(), limits);
    let mut used = served.client();
    assert!(lives(&mut used));
    let mut quiet = served.client();
    for client in [&mut used, &mut quiet] {
        client.patience(Duration::from_secs(5));
        assert!(client.is_closed());
    }
    served.await_metric(&format!("{REFUSED}{{reason=\"idle\"}}"), 2.0);
    served.still_serves();
}

#[test]
fn a_handshake_is_not_waited_for() {
    let limits = Limits {
        handshake: Duration::from_millis(300),
        ..Limits::default()
    };
    let served = Served::start(offline(), limits);
    let start = Instant::now();
    let mut streams = [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"].map(|bytes| {
        let mut tcp = TcpStream::connect(served.address).unwrap();
        tcp.write_all(bytes).unwrap();
        tcp
    });
    for tcp in &mut streams {
        tcp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        assert!(matches!(tcp.read(&mut [0; 64]), Ok(0) | Err(_)));
    }
    assert!(start.elapsed() < Duration::from_secs(4));
    served.await_metric(&format!("{REFUSED}{{reason=\"handshake\"}}"), 3.0);
    served.still_serves();
}

#[test]
fn plain_http_on_the_tls_port_is_told_so() {
    let served = Served::start(offline(), Limits::default());
    for request in [
        "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "POST /validate HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}",
        "nonsense",
    ] {
        let answer = plain(served.address, request.as_bytes()).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("HTTPS"),
            "{answer}"
        );
        served.still_serves();
    }
    served.await_metric(&format!("{REFUSED}{{reason=\"plain\"}}"), 3.0);
    // A client that comes and goes, as probes do, is no event.
    drop(TcpStream::connect(served.address).unwrap());
    served.still_serves();
    served.await_metric(&format!("{REFUSED}{{reason=\"handshake\"}}"), 0.0);
}

#[test]
fn http_1_1_is_all_that_is_spoken() {
    let served = Served::start(offline(), Limits::default());
    let mut both = (*served.trusted).clone();
    both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut client = Client::connect(served.address, &Arc::new(both)).unwrap();
    assert_eq!(client.protocol(), Some(&b"http/1.1"[..]));
    assert!(lives(&mut client));
    let mut h2 = (*served.trusted).clone();
    h2.alpn_protocols = vec![b"h2".to_vec()];
    assert!(Client::connect(served.address, &Arc::new(h2)).is_err());
    served.still_serves();
}

#[test]
fn at_the_limit_the_oldest_idle_connection_gives_way() {
    let limits = Limits {
        connections: 4,
        ..Limits::default()
    };
    let served = Served::start(offline(), limits);
    let mut clients: Vec<Client> = (0..4)
        .map(|_| {
            thread::sleep(Duration::from_millis(5));
            served.client()
        })
        .collect();
    // The first is used now, so that the second is the oldest.
    assert!(lives(&mut clients[0]));
    thread::sleep(Duration::from_millis(5));
    let mut late = served.client();
    assert!(lives(&mut late));
    assert!(clients[1].is_closed());
    for kept in [0, 2, 3] {
        assert!(lives(&mut clients[kept]), "{kept}");
    }
    served.await_metric(&format!("{REFUSED}{{reason=\"evicted\"}}"), 1.0);
    served.await_metric("usher_connections", 4.0);
    // However many come, the next good request is served.
    let flood: Vec<Client> = (0..40).map(|_| served.client()).collect();
    served.still_serves();
    drop(flood);
    served.still_serves();
}

/// Answers no question before it is let go, or before its deadline.
#[derive(Default)]
struct Stuck {
    go: AtomicBool,
    waiting: AtomicBool,
    asked: Mutex<Vec<Duration>>,
}

impl RightsSource for Stuck {
    fn rights(&self) -> Result<Arc<Rights>, NotReady> {
        Ok(Arc::default())
    }
}

impl Tell for Stuck {
    fn tell(&self, _: &Mutation<'_>) {}
}

impl FactSource for Stuck {
    async fn gather(
        &self,
        _: &Requester<'_>,
        needs: Vec<Need>,
        facts: &mut Facts,
        deadline: Instant,
    ) {
        self.asked
            .lock()
            .unwrap()
            .push(deadline.saturating_duration_since(Instant::now()));
        self.waiting.store(true, Ordering::Relaxed);
        while !self.go.load(Ordering::Relaxed) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for need in needs {
            facts.failed(need, FactError::Deadline);
        }
    }
}

#[test]
fn a_busy_connection_does_not_give_way() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let served = Served::start(Stuck::default(), limits);
    let backend = served.app.backend();
    let review = pod("jane", "admin");
    thread::scope(|scope| {
        let first = scope.spawn(|| served.post("/validate", review.to_string().as_bytes()));
        super::eventually("asked", || backend.waiting.load(Ordering::Relaxed));
        let second = scope.spawn(|| served.post("/validate", review.to_string().as_bytes()));
        thread::sleep(Duration::from_millis(300));
        assert!(!first.is_finished() && !second.is_finished());
        backend.go.store(true, Ordering::Relaxed);
        for answer in [first, second] {
            assert!(!verdict(&review, &answer.join().unwrap()).0);
        }
    });
}

#[test]
fn the_deadline_is_that_of_the_request() {
    let served = Served::start(Stuck::default(), Limits::default());
    let backend = served.app.backend();
    let review = pod("jane", "admin");
    for (query, least, most) in [
        ("?timeout=1s", 500, 1_000),
        ("?timeout=600ms", 300, 600),
        ("?timeout=0.2s&x=y", 100, 200),
    ] {
        let start = Instant::now();
        let path = format!("/validate{query}");
        let response = served.post(&path, review.to_string().as_bytes());
        let took = start.elapsed();
        let (allowed, message) = verdict(&review, &response);
        assert!(!allowed && message.contains("deadline"), "{message}");
        let asked = backend.asked.lock().unwrap().pop().unwrap();
        assert!(
            asked > Duration::from_millis(least) && asked < Duration::from_millis(most),
            "{asked:?}"
        );
        assert!(took >= Duration::from_millis(least), "{took:?}");
    }
    backend.go.store(true, Ordering::Relaxed);
    for (query, seconds) in [
        ("", 10),
        ("?timeout=30s", 30),
        ("?timeout=5m", 30),
        ("?timeout=x", 10),
    ] {
        served.post(&format!("/validate{query}"), review.to_string().as_bytes());
        let asked = backend.asked.lock().unwrap().pop().unwrap().as_secs_f64();
        assert!(
            asked > f64::from(seconds) - 1.5 && asked < f64::from(seconds),
            "{query}: {asked}"
        );
    }
}

/// A backend with a fault of its own.
struct Faulty {
    good: Offline,
    panics: AtomicBool,
    unready: AtomicBool,
}

impl RightsSource for Faulty {
    fn rights(&self) -> Result<Arc<Rights>, NotReady> {
        assert!(!self.panics.load(Ordering::Relaxed), "a fault of the test");
        if self.unready.load(Ordering::Relaxed) {
            return Err(NotReady("the list is not complete of roles".to_owned()));
        }
        self.good.rights()
    }
}

impl Tell for Faulty {
    fn tell(&self, _: &Mutation<'_>) {}
}

impl FactSource for Faulty {
    async fn gather(
        &self,
        requester: &Requester<'_>,
        needs: Vec<Need>,
        facts: &mut Facts,
        deadline: Instant,
    ) {
        self.good.gather(requester, needs, facts, deadline).await;
    }
}

fn faulty() -> Served<Faulty> {
    let backend = Faulty {
        good: offline(),
        panics: AtomicBool::default(),
        unready: AtomicBool::default(),
    };
    Served::start(backend, Limits::default())
}

#[test]
fn a_panic_is_a_refusal() {
    let served = faulty();
    let backend = served.app.backend();
    let mut client = served.client();
    assert!(lives(&mut client));
    backend.panics.store(true, Ordering::Relaxed);
    let review = pod("jane", "builder");
    let response = client
        .post("/validate", review.to_string().as_bytes())
        .unwrap();
    let (allowed, message) = verdict(&review, &response);
    assert!(!allowed && message.contains("usher failed"), "{message}");
    assert_eq!(response.json()["response"]["status"]["code"], 500);
    served.await_metric("usher_panics_total", 1.0);
    backend.panics.store(false, Ordering::Relaxed);
    assert!(lives(&mut client), "the same connection goes on");
    served.still_serves();
}

#[test]
fn nothing_is_judged_before_the_rights_are_known() {
    let served = faulty();
    let backend = served.app.backend();
    assert_eq!(served.get("/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(served.get("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(served.get("/other").0, 404);
    backend.unready.store(true, Ordering::Relaxed);
    let (status, why) = served.get("/readyz");
    assert_eq!(status, 503);
    assert!(why.contains("not complete of roles"), "{why}");
    assert_eq!(served.get("/livez").0, 200);
    let review = pod("jane", "builder");
    let response = served.post("/validate", review.to_string().as_bytes());
    let (allowed, message) = verdict(&review, &response);
    assert!(
        !allowed && message.contains("not ready: the list"),
        "{message}"
    );
    assert_eq!(response.json()["response"]["status"]["code"], 503);
    assert!(!response.head.contains("retry-after"));
    backend.unready.store(false, Ordering::Relaxed);
    served.still_serves();
}
