//! Exemptions that end are told of before anybody learns it from a refusal.

use std::{sync::Mutex, time::Duration};

use jiff::civil::{Date, date};
use usher::server::{Limits, follow_exemptions};
use usher_core::config;

use super::{Served, eventually, offline};

const CONFIGURATION: &str = "exemptions:
- {name: over, match: {users: [a]}, owner: o, reason: r, expires: 2026-11-20}
- {name: soon, match: {users: [b]}, owner: o, reason: r, expires: 2026-11-26}
- {name: later, match: {users: [c]}, owner: o, reason: r, expires: 2027-11-26}
";

#[test]
fn they_are_counted_by_the_day() {
    static TODAY: Mutex<Date> = Mutex::new(date(2026, 11, 26));
    let served = Served::start(offline(), Limits::default());
    let app = served.app.clone();
    served.runtime.spawn(async move {
        let today = || *TODAY.lock().unwrap();
        follow_exemptions(&app, today, Duration::from_millis(5)).await
    });
    let counted = |active, ending, ended| {
        let (_, text) = served.get("/metrics");
        let line = |state, count| format!("usher_exemptions{{state=\"{state}\"}} {count}\n");
        [("active", active), ("ending", ending), ("ended", ended)]
            .into_iter()
            .all(|(state, count)| text.contains(&line(state, count)))
    };
    eventually("nothing is configured", || counted(0, 0, 0));
    served
        .app
        .set_settings(config::parse(CONFIGURATION).unwrap());
    eventually("one of each", || counted(1, 1, 1));
    *TODAY.lock().unwrap() = date(2026, 11, 27);
    eventually("the day is over", || counted(1, 0, 2));
}
