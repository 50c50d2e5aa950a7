//! The end: no request is lost.

use std::{
    sync::{
        Arc,
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
    engine::{Facts, Mutation, Need},
    reference::Requester,
    rights::Rights,
};

use super::{Client, Served, eventually, offline, pod, verdict};

/// Holds every denial back until it is let go.
struct Held {
    good: Offline,
    waiting: AtomicBool,
    go: AtomicBool,
}

impl RightsSource for Held {
    fn rights(&self) -> Result<Arc<Rights>, NotReady> {
        self.good.rights()
    }
}

impl Tell for Held {
    fn tell(&self, _: &Mutation<'_>) {}
}

impl FactSource for Held {
    async fn gather(
        &self,
        requester: &Requester<'_>,
        needs: Vec<Need>,
        facts: &mut Facts,
        deadline: Instant,
    ) {
        self.waiting.store(true, Ordering::Relaxed);
        while !self.go.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.good.gather(requester, needs, facts, deadline).await;
    }
}

#[test]
fn requests_in_flight_are_finished() {
    let held = Held {
        good: offline(),
        waiting: AtomicBool::default(),
        go: AtomicBool::default(),
    };
    let mut served = Served::start(held, Limits::default());
    let webhook = served.webhook.take().unwrap();
    let backend = served.app.backend();
    let mut idle = served.client();
    let mut half = served.client();
    half.send(b"POST /validate").unwrap();
    let slow = pod("jane", "admin");
    let mut busy = served.client();
    thread::scope(|scope| {
        let answer = scope.spawn(|| busy.post("/validate", slow.to_string().as_bytes()));
        eventually("a request waits", || {
            backend.waiting.load(Ordering::Relaxed)
        });

        served.app.drain();
        let (status, why) = served.get("/readyz");
        assert_eq!((status, why.contains("draining")), (503, true), "{why}");
        assert_eq!(served.get("/livez").0, 200);
        // Still served, on old connections and new ones, each for the last time.
        let review = pod("jane", "builder");
        let mut fresh = served.client();
        for client in [&mut idle, &mut fresh] {
            let response = client
                .post("/validate", review.to_string().as_bytes())
                .unwrap();
            assert!(verdict(&review, &response).0);
            assert!(response.head.contains("connection: close"), "{response:?}");
            assert!(client.is_closed());
        }
        let mut quiet = served.client();

        served.stop.cancel();
        assert!(quiet.is_closed());
        assert!(half.is_closed());
        eventually("the port is closed", || {
            Client::connect(served.address, &served.trusted).is_err()
        });
        thread::sleep(Duration::from_millis(1500));
        assert!(!webhook.is_finished() && !answer.is_finished());
        backend.go.store(true, Ordering::Relaxed);
        let response = answer.join().unwrap().unwrap();
        assert!(!verdict(&slow, &response).0);
    });
    served.runtime.block_on(webhook).unwrap();
}
