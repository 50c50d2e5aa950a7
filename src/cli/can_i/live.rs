//! The same asked of a cluster, question by question.

use std::time::Instant;

use futures_util::future::join_all;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, Client};

use super::{Answer, Args, PATIENCE, answer};
use crate::{
    cli::{Failure, world::World},
    cluster::{Who, ask_once, connect_as_person, describe},
    facts::FactSource,
};
use usher_core::{
    engine::{Authorizer, FactError, Facts, Need},
    reference::{Requester, Text},
};

/// Asks the API server, and says which namespace the question was about.
pub(super) fn ask(args: &Args, world: &World) -> Result<(String, Answer), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let asking = async { tokio::time::timeout(PATIENCE, of_cluster(args, world)).await };
    runtime
        .block_on(asking)
        .map_err(|_| "the API server does not answer")?
}

async fn of_cluster(args: &Args, world: &World) -> Result<(String, Answer), Failure> {
    let (client, home) = connect_as_person(args.kubeconfig.as_deref()).await?;
    let namespace = args.namespace.clone().unwrap_or(home);
    let cluster = Cluster {
        client,
        oneself: args.user.is_none(),
    };
    let requester = match &args.user {
        Some(user) => Requester::named(user, args.groups.iter().map(String::as_str)),
        None => cluster.oneself().await?,
    };
    let answer = answer(
        &args.target,
        &namespace,
        requester,
        world,
        &cluster,
        Authorizer::Review,
    );
    let answer = answer.await?;
    Ok((namespace, answer))
}

/// A cluster that is asked question by question.
struct Cluster {
    client: Client,
    /// Whether the questions are about the one who asks: everybody may ask those.
    oneself: bool,
}

impl Cluster {
    /// Who asks, as the API server authenticates them.
    async fn oneself(&self) -> Result<Requester<'static>, Failure> {
        let api: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let answered = api
            .create(
                &kube::api::PostParams::default(),
                &SelfSubjectReview::default(),
            )
            .await
            .map_err(|error| {
                format!(
                    "the API server does not say who you are: {}",
                    describe(&error)
                )
            })?;
        let user = answered
            .status
            .and_then(|status| status.user_info)
            .unwrap_or_default();
        let groups = user.groups.unwrap_or_default();
        Ok(Requester {
            username: Text::from(user.username.unwrap_or_default()),
            uid: Text::from(user.uid.unwrap_or_default()),
            groups: groups.into_iter().map(Text::from).collect(),
            extra: None,
        })
    }
}

impl FactSource for Cluster {
    async fn gather(
        &self,
        requester: &Requester<'_>,
        needs: Vec<Need>,
        facts: &mut Facts,
        _: Instant,
    ) {
        let find = |need| async move {
            match &need {
                Need::Review(question) => {
                    let who = if self.oneself {
                        Who::Oneself
                    } else {
                        Who::Requester(requester)
                    };
                    let answer = ask_once(&self.client, who, question).await;
                    (need, answer)
                }
                Need::Object(at) => {
                    let error = FactError::NotGiven(at.to_string());
                    (need, Err(error))
                }
            }
        };
        for (need, answer) in join_all(needs.into_iter().map(find)).await {
            match (need, answer) {
                (Need::Review(question), answer) => facts.review(question, answer),
                (need, Err(error)) => facts.failed(need, error),
                (Need::Object(at), Ok(_)) => facts.object(at, Ok(None)),
            }
        }
    }
}
