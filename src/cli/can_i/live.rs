use std::{sync::Arc, time::Instant};

use futures_util::future::join_all;
use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    authorization::v1::{
        ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
        SubjectAccessReview, SubjectAccessReviewSpec, SubjectAccessReviewStatus,
    },
};
use kube::{Api, Client};

use super::{Answer, Args, PATIENCE, answer};
use crate::{
    cli::{Failure, kubeconfig, world::World},
    cluster::{Backend, NotReady, describe},
};
use usher_core::{
    engine::{Authorizer, FactError, Facts, Need},
    reference::{Question, Requester, Text},
    rights::Rights,
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
    let otherwise = "name files with --rbac or --kubeconfig";
    let config = kubeconfig::config(args.kubeconfig.as_deref(), otherwise).await?;
    let namespace = args
        .namespace
        .as_ref()
        .unwrap_or(&config.default_namespace)
        .clone();
    let cluster = Cluster {
        client: Client::try_from(config)?,
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

    async fn review(
        &self,
        requester: &Requester<'_>,
        question: &Question<'_>,
    ) -> Result<Option<String>, FactError> {
        let attributes = Some(ResourceAttributes {
            group: Some(question.resource.group.to_owned()),
            resource: Some(question.resource.name.to_owned()),
            namespace: Some(question.namespace.to_string()),
            name: Some(question.name.to_string()),
            verb: Some("use".to_owned()),
            ..ResourceAttributes::default()
        });
        let post = kube::api::PostParams::default();
        let answered = if self.oneself {
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec {
                    resource_attributes: attributes,
                    ..SelfSubjectAccessReviewSpec::default()
                },
                ..SelfSubjectAccessReview::default()
            };
            let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
            api.create(&post, &review).await.map(|review| review.status)
        } else {
            let review = SubjectAccessReview {
                spec: SubjectAccessReviewSpec {
                    user: Some(requester.username.to_string()),
                    groups: Some(requester.groups.iter().map(ToString::to_string).collect()),
                    resource_attributes: attributes,
                    ..SubjectAccessReviewSpec::default()
                },
                ..SubjectAccessReview::default()
            };
            let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
            api.create(&post, &review).await.map(|review| review.status)
        };
        let failed =
            |why: String| FactError::Failed(format!("the API server did not answer: {why}"));
        match answered.map_err(|error| failed(describe(&error)))? {
            Some(SubjectAccessReviewStatus {
                allowed: true,
                reason,
                ..
            }) => Ok(Some(reason.unwrap_or_default())),
            Some(SubjectAccessReviewStatus {
                evaluation_error: Some(error),
                ..
            }) if !error.is_empty() => Err(failed(error)),
            _ => Ok(None),
        }
    }
}

impl Backend for Cluster {
    fn rights(&self) -> Result<Arc<Rights>, NotReady> {
        Ok(Arc::default())
    }

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
                    let answer = self.review(requester, question).await;
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
