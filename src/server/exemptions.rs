//! Tells of exemptions that end: nobody should learn it from a refusal.

use std::{convert::Infallible, sync::Arc, time::Duration};

use jiff::civil::Date;

use super::app::App;
use usher_core::config::Settings;

/// Tells in the log, and counts, which exemptions of the configuration in force have ended or soon will: of every
/// configuration once, and then once a day. `today` tells the day, and is asked every so often. Never ends.
pub async fn follow_exemptions<B>(
    app: &App<B>,
    today: impl Fn() -> Date,
    every: Duration,
) -> Infallible {
    let mut told: Option<(Date, Arc<Settings>)> = None;
    loop {
        let (day, settings) = (today(), app.settings());
        let known = told
            .as_ref()
            .is_some_and(|(on, of)| *on == day && Arc::ptr_eq(of, &settings));
        if !known {
            tell(app, &settings, day);
            told = Some((day, settings));
        }
        tokio::time::sleep(every).await;
    }
}

fn tell<B>(app: &App<B>, settings: &Settings, today: Date) {
    let (mut ended, mut ending) = (0, 0);
    for exemption in settings.policy.endings(today) {
        tracing::warn!("{exemption}");
        if exemption.is_over() {
            ended += 1;
        } else {
            ending += 1;
        }
    }
    let all = settings.policy.exemptions.len();
    app.metrics()
        .exemptions(all - ended - ending, ending, ended);
}
