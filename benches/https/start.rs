//! How long Usher takes from nothing to a right answer, and that it gives none before.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    load::{Case, Client, Wrong, ask},
    process::Server,
};

/// How long Usher is left alone before its memory counts as idle.
const REST: Duration = Duration::from_secs(5);

/// The last Usher that was started, and what all starts took.
pub(crate) struct Started {
    pub(crate) server: Server,
    pub(crate) client: Client,
    /// From the start of the process to the first right answer; shortest first.
    pub(crate) times: Vec<Duration>,
}

/// Starts it some times, one after the other.
pub(crate) async fn measure(
    starts: usize,
    cases: &Arc<[Case]>,
    start: impl Fn() -> (Server, Client),
) -> Started {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..starts.max(1) {
        drop(last.take());
        let begin = Instant::now();
        let (server, client) = start();
        first_right_answer(&client, cases).await;
        times.push(begin.elapsed());
        // One right answer might be luck: with the index complete, all are.
        let mut connection = client.connect().await.unwrap();
        for case in &**cases {
            let answer = ask(&mut connection, case).await.unwrap();
            case.check(&answer, true).unwrap();
        }
        last = Some((server, client));
    }
    tokio::time::sleep(REST).await;
    times.sort_unstable();
    let (server, client) = last.unwrap();
    Started {
        server,
        client,
        times,
    }
}

/// Asks again and again, always something else. Until the index is complete Usher may say only that it is not ready:
/// "no" would be wrong here, for everything is granted.
async fn first_right_answer(client: &Client, cases: &[Case]) {
    for case in cases.iter().cycle() {
        let Ok(mut connection) = client.connect().await else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let answer = ask(&mut connection, case).await;
        match answer.and_then(|answer| case.check(&answer, true)) {
            Ok(()) => return,
            Err(Wrong(said)) => assert!(said.contains("\"code\":503"), "too early: {said}"),
        }
    }
}
