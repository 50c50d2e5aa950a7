//! What the controllers fetch: a repository over Git's smart HTTP, and the length of a queue that wants to see a token.

use std::{
    error::Error,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Response, StatusCode, header::AUTHORIZATION},
    response::IntoResponse,
    routing::get,
};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::controlplane::feed_bytes;

/// A server on loopback. It ends when it is dropped.
pub(crate) struct Web {
    address: SocketAddr,
    token: Token,
    _runtime: Runtime,
}

/// The last token that was seen at the queue.
type Token = Arc<Mutex<Option<String>>>;

impl Web {
    /// Serves the files below `tree` as the branch main of a repository, which it makes in `folder`.
    pub(crate) fn serve(folder: &Path, tree: &Path) -> Result<Self, Box<dyn Error>> {
        commit(folder, tree)?;
        let runtime = Runtime::new()?;
        let token = Token::default();
        let queue = Router::new()
            .route("/queue", get(length))
            .with_state(token.clone());
        let git = Router::new().fallback(git).with_state(folder.to_owned());
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        runtime.spawn(async move { axum::serve(listener, queue.merge(git)).await });
        Ok(Self {
            address,
            token,
            _runtime: runtime,
        })
    }

    /// The address of the repository.
    pub(crate) fn repository(&self) -> String {
        format!("http://{}/apps", self.address)
    }

    /// The address of the length of the queue, which is one.
    pub(crate) fn queue(&self) -> String {
        format!("http://{}/queue", self.address)
    }

    /// The last token that was shown to the queue.
    pub(crate) fn token(&self) -> Option<String> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.clone()
    }
}

/// git, without the settings of whoever runs the tests.
fn git_in(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_INDEX_FILE")
        .env("GIT_DIR", folder.join("apps/.git"));
    git
}

/// An error if git is not there, or cannot serve over HTTP.
pub(crate) fn needs_git() -> Result<(), Box<dyn Error>> {
    let folder = Command::new("git").arg("--exec-path").output();
    let folder = folder.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    if folder.is_ok_and(|folder| folder.join("git-http-backend").is_file()) {
        return Ok(());
    }
    Err("Flux reads from Git here: install git, with its program git-http-backend".into())
}

/// Makes the repository `apps`.
fn commit(folder: &Path, tree: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder.join("apps"))?;
    let author = [
        "-c",
        "user.name=tests",
        "-c",
        "user.email=tests@example.org",
    ];
    let commit = [&author[..], &["commit", "--quiet", "--message=apps"]].concat();
    for args in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "--all"],
        &commit,
    ] {
        let said = git_in(folder)
            .env("GIT_WORK_TREE", tree)
            .args(args)
            .output()?;
        if !said.status.success() {
            return Err(format!("git {}: {said:?}", args.join(" ")).into());
        }
    }
    Ok(())
}

/// Answers with the length of the queue, if there is a token.
async fn length(State(seen): State<Token>, request: Request) -> impl IntoResponse {
    let header = request.headers().get(AUTHORIZATION);
    let header = header.and_then(|header| header.to_str().ok());
    let Some(token) = header.and_then(|header| header.strip_prefix("Bearer ")) else {
        return (StatusCode::UNAUTHORIZED, "no token");
    };
    *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.to_owned());
    (StatusCode::OK, r#"{"length": 1}"#)
}

/// Hands a request to `git http-backend`, which speaks CGI (RFC 3875).
async fn git(State(folder): State<PathBuf>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 1 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let header = |name: &str| {
        let value = head.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let mut git = git_in(&folder);
    git.arg("http-backend")
        .env_remove("GIT_DIR")
        .env("GIT_PROJECT_ROOT", &folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"));
    let answer = tokio::task::spawn_blocking(move || feed_bytes(&mut git, &body)).await;
    match answer {
        Ok(Ok(output)) => from_cgi(&output.stdout),
        _ => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// The answer of a CGI program: headers, one of them perhaps the status, and a body.
fn from_cgi(output: &[u8]) -> Response<Body> {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = output.split_at(end.unwrap_or(output.len()));
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(head).lines() {
        let (name, value) = line.split_once(": ").unwrap_or_default();
        response = match name {
            "Status" => response.status(value.get(..3).unwrap_or("502")),
            name => response.header(name, value),
        };
    }
    let body = body.get(4..).unwrap_or_default().to_vec();
    response
        .body(Body::from(body))
        .unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
}
