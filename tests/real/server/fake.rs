//! An API server that can be told to fail.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::stream::unfold;
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime, sync::mpsc};

use super::{binding, role};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1/";
pub(crate) const SORTS: [&str; 4] = [
    "clusterrolebindings",
    "clusterroles",
    "rolebindings",
    "roles",
];

/// It answers as long as this is kept.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    _runtime: Runtime,
}

/// What it answers, and what it was asked.
#[derive(Default)]
pub(crate) struct Script {
    /// What it holds, by resource.
    pub(crate) objects: HashMap<String, Vec<Value>>,
    /// Resource version of the next list.
    pub(crate) version: u32,
    /// What a list or the start of a watch is answered with instead.
    pub(crate) failing: HashMap<String, StatusCode>,
    /// The open watches, by resource.
    watches: HashMap<String, mpsc::UnboundedSender<Bytes>>,
    /// Resource versions from which was watched, by resource.
    pub(crate) watched: HashMap<String, Vec<String>>,
    pub(crate) reviews: Reviews,
    /// How long a review takes.
    pub(crate) delay: Duration,
    /// Access reviews that were asked for.
    pub(crate) asked: Vec<Value>,
    /// Access reviews being answered, and the most there ever were.
    pub(crate) at_once: (usize, usize),
    /// Answers to reads, by path; everything else is not found.
    pub(crate) reads: HashMap<String, (StatusCode, String)>,
    /// Paths at which nothing is ever answered.
    pub(crate) hanging: HashSet<String>,
    /// Paths that were read.
    pub(crate) paths: Vec<String>,
    /// How events are answered; as written, if nothing else is said.
    pub(crate) telling: Option<Reviews>,
    /// Events that were sent, with the paths where.
    pub(crate) events: Vec<(String, Value)>,
}

/// How access reviews and events are answered.
#[derive(Clone, Debug, Default)]
pub(crate) enum Reviews {
    Allow,
    #[default]
    Deny,
    Hang,
    Say(StatusCode, String),
}

type Shared = Arc<Mutex<Script>>;

impl Fake {
    /// One that holds a role, and jane's binding to it.
    pub(crate) fn start() -> Self {
        let script = Script {
            version: 10,
            objects: HashMap::from([
                ("roles".to_owned(), vec![role()]),
                ("rolebindings".to_owned(), vec![binding("jane")]),
            ]),
            ..Script::default()
        };
        let script = Arc::new(Mutex::new(script));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().fallback(answer).with_state(script.clone());
        runtime.spawn(async { axum::serve(listener, routes).await });
        Self {
            address,
            script,
            _runtime: runtime,
        }
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// A kubeconfig that leads here.
    pub(crate) fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "clusters": [{"name": "fake", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "fake", "user": {}}],
        })
        .to_string()
    }
}

impl Script {
    /// Sends an event to the watch of a resource. False if nobody watches.
    pub(crate) fn send(&mut self, resource: &str, kind: &str, object: &Value) -> bool {
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        let watch = self.watches.get(resource);
        watch.is_some_and(|watch| watch.send(line.into()).is_ok())
    }

    /// Sends bytes that are no event.
    pub(crate) fn send_raw(&mut self, resource: &str, line: &'static str) -> bool {
        let watch = self.watches.get(resource);
        watch.is_some_and(|watch| watch.send(line.into()).is_ok())
    }

    /// Ends the watch of a resource in the midst.
    pub(crate) fn cut(&mut self, resource: &str) {
        self.watches.remove(resource);
    }

    /// Whether all four are watched.
    pub(crate) fn is_watched(&self) -> bool {
        let open = |sort| {
            self.watches
                .get(sort)
                .is_some_and(|watch: &mpsc::UnboundedSender<_>| !watch.is_closed())
        };
        SORTS.into_iter().all(open)
    }
}

async fn answer(State(script): State<Shared>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if request.method() == Method::POST && path.ends_with("/events") {
        return event(&script, request, path).await;
    }
    if request.method() == Method::POST {
        return review(&script, request).await;
    }
    if let Some(resource) = path.strip_prefix(RBAC) {
        let query = request.uri().query().unwrap_or_default().to_owned();
        return rbac(&mut script.lock().unwrap(), resource, &query);
    }
    if script.lock().unwrap().hanging.contains(&path) {
        return std::future::pending().await;
    }
    let mut script = script.lock().unwrap();
    let (status, body) = script.reads.get(&path).cloned().unwrap_or_else(|| {
        let gone = status(404, "not found");
        (StatusCode::NOT_FOUND, gone.to_string())
    });
    script.paths.push(path);
    json_response(status, body)
}

fn rbac(script: &mut Script, resource: &str, query: &str) -> Response {
    if let Some(code) = script.failing.get(resource) {
        let why = status(code.as_u16(), "out of order");
        return json_response(*code, why.to_string());
    }
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    if !query.contains("watch=true") {
        let items = script.objects.get(resource).cloned().unwrap_or_default();
        let list = json!({
            "kind": "List", "apiVersion": "v1",
            "metadata": {"resourceVersion": script.version.to_string()}, "items": items,
        });
        return json_response(StatusCode::OK, list.to_string());
    }
    let from = pairs.find_map(|(key, value)| (key == "resourceVersion").then_some(value));
    let versions = script.watched.entry(resource.to_owned()).or_default();
    versions.push(from.unwrap_or_default().to_owned());
    let (sender, receiver) = mpsc::unbounded_channel();
    script.watches.insert(resource.to_owned(), sender);
    let lines = unfold(receiver, |mut receiver| async {
        let line: Option<Bytes> = receiver.recv().await;
        line.map(|line| (Ok::<_, std::io::Error>(line), receiver))
    });
    Body::from_stream(lines).into_response()
}

async fn review(script: &Shared, request: Request) -> Response {
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let (reviews, delay) = {
        let mut script = script.lock().unwrap();
        script.asked.push(serde_json::from_slice(&body).unwrap());
        script.at_once.0 += 1;
        script.at_once.1 = script.at_once.1.max(script.at_once.0);
        (script.reviews.clone(), script.delay)
    };
    tokio::time::sleep(delay).await;
    script.lock().unwrap().at_once.0 -= 1;
    let said = |allowed| json!({"status": {"allowed": allowed, "reason": "the fake says so"}});
    match reviews {
        Reviews::Allow => json_response(StatusCode::CREATED, said(true).to_string()),
        Reviews::Deny => json_response(StatusCode::CREATED, said(false).to_string()),
        Reviews::Hang => std::future::pending().await,
        Reviews::Say(status, body) => json_response(status, body),
    }
}

async fn event(script: &Shared, request: Request, path: String) -> Response {
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let event = serde_json::from_slice(&body).unwrap();
    let telling = {
        let mut script = script.lock().unwrap();
        script.events.push((path, event));
        script.telling.clone()
    };
    match telling {
        None | Some(Reviews::Allow) => json_response(StatusCode::CREATED, "{}".to_owned()),
        Some(Reviews::Deny) => {
            let why = status(403, "usher may not create events");
            json_response(StatusCode::FORBIDDEN, why.to_string())
        }
        Some(Reviews::Hang) => std::future::pending().await,
        Some(Reviews::Say(status, body)) => json_response(status, body),
    }
}

/// A `Status` as the API server writes it.
pub(crate) fn status(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": code})
}

fn json_response(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
