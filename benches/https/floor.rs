//! A server that does all that a webhook in Rust cannot do without, and nothing else: TLS, HTTP, the envelope and the
//! pod spec read, "allowed" answered. What Usher costs beyond it is the price of Usher.

use std::{convert::Infallible, path::Path, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use usher_core::{
    catalogue::{Catalogue, Kind},
    object::{PodSpec, at},
    review::read,
};

/// Serves for ever.
pub(crate) async fn serve(address: &str, certificate: &str, key: &str) {
    let chain: Vec<_> = CertificateDer::pem_file_iter(Path::new(certificate))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(Path::new(key)).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let catalogue = Arc::new(Catalogue::embedded().unwrap());
    let listener = TcpListener::bind(address).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (acceptor, catalogue) = (acceptor.clone(), catalogue.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let pod = catalogue.find("", "Pod").unwrap();
            let service = service_fn(|request| answer(pod, request));
            // The client goes away without a word at the end of a run.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    pod: &Kind,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let review = read(&body).unwrap();
    let spec: Option<PodSpec<'_>> =
        at(review.object.unwrap(), &pod.pod_spec().unwrap().keys).unwrap();
    assert!(spec.is_some());
    let mut response = Response::new(Full::new(Bytes::from(allowed(&review.uid))));
    let json = hyper::header::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json);
    Ok(response)
}

/// The shortest answer that there is.
fn allowed(uid: &str) -> String {
    let response = serde_json::json!({"uid": uid, "allowed": true});
    let review = serde_json::json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
    });
    review.to_string()
}
