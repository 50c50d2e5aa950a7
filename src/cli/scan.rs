//! `usher scan`: who holds rights that lead round any webhook.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::PathBuf,
};

use clap::ValueEnum;
use serde_json::{Value, json};

use super::{Exit, Failure, holdings::From, say::say};
use crate::{
    files,
    scan::{Cluster, Holding, TokenSecret, WAYS, Way, holdings},
};
use usher_core::{
    engine::Policy,
    reference::{escaped, shown},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  usher scan
  usher scan --config usher.yaml --all --format json
  kubectl get clusterroles,roles,clusterrolebindings,rolebindings -A -o yaml | usher scan --rbac -

Exit status: 0 nobody but Kubernetes holds such a right, 1 somebody does, 2 something could not be read.")]
pub(super) struct Args {
    /// The configuration that says which namespaces Usher does not guard. Without one: kube-system and usher-system.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Show also what Kubernetes itself binds at every start.
    #[arg(long)]
    all: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    from: From,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Json,
    Text,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let policy = match &args.config {
        Some(file) => files::load(file)?.policy,
        None => Policy::default(),
    };
    let cluster = args.from.read()?;
    let found = holdings(&cluster, |namespace| match namespace {
        Some(namespace) => policy.excludes(namespace),
        None => !policy.excluded_namespaces.is_empty(),
    });
    let (kubernetes, others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|holding| holding.is_kubernetes);
    let left_out = if args.all { 0 } else { kubernetes.len() };
    let mut told = others;
    let is_held = !told.is_empty();
    if args.all {
        told.extend(kubernetes);
    }
    let out = &mut io::stdout().lock();
    match args.format {
        Format::Json => as_json(out, &told, &cluster)?,
        Format::Text => as_text(out, &told, &cluster)?,
    }
    if left_out > 0 {
        say(&format!(
            "left out: {left_out} that Kubernetes itself binds at every start (--all shows them)"
        ));
    }
    let secrets = cluster
        .token_secrets
        .is_some_and(|secrets| !secrets.is_empty());
    Ok(Exit::of(!is_held && !secrets))
}

fn as_json(out: &mut impl Write, told: &[Holding], cluster: &Cluster) -> Result<(), Failure> {
    let holding = |holding: &Holding| {
        let ways: Vec<&str> = holding.ways.iter().map(|way| way.name).collect();
        json!({
            "subject": holding.subject,
            "namespace": holding.namespace,
            "ways": ways,
            "by": holding.by,
            "kubernetes": holding.is_kubernetes,
        })
    };
    let secret = |secret: &TokenSecret| json!({"namespace": secret.namespace, "name": secret.name, "account": secret.account});
    let secrets = cluster.token_secrets.as_ref();
    let secrets: Option<Vec<Value>> = secrets.map(|held| held.iter().map(secret).collect());
    let ways: BTreeMap<&str, Value> = WAYS
        .iter()
        .map(|way| (way.name, json!({"gives": way.gives, "remedy": way.remedy})))
        .collect();
    let holdings: Vec<Value> = told.iter().map(holding).collect();
    let report = json!({"holdings": holdings, "tokenSecrets": secrets, "ways": ways});
    writeln!(out, "{}", escaped(&format!("{report:#}")))?;
    Ok(())
}

fn as_text(out: &mut impl Write, told: &[Holding], cluster: &Cluster) -> io::Result<()> {
    let row = |holding: &Holding| {
        let ways: Vec<&str> = holding.ways.iter().map(|way| way.name).collect();
        let place = holding.namespace.as_deref().unwrap_or("all namespaces");
        [&holding.subject, place, &ways.join(", "), &holding.by].map(|text| shown(text).to_string())
    };
    let mut rows: Vec<[String; 4]> = told.iter().map(row).collect();
    if !rows.is_empty() {
        rows.insert(0, ["WHO", "WHERE", "WAYS", "BY"].map(str::to_owned));
        table(out, &rows)?;
        writeln!(out)?;
    }
    let mut secrets = cluster.token_secrets.clone().unwrap_or_default();
    secrets.sort();
    if !secrets.is_empty() {
        let row = |secret: &TokenSecret| {
            let TokenSecret {
                namespace,
                name,
                account,
            } = secret;
            [&format!("{namespace}/{name}"), account].map(|text| shown(text).to_string())
        };
        let mut rows: Vec<[String; 2]> = secrets.iter().map(row).collect();
        rows.insert(0, ["TOKEN SECRET", "ACCOUNT"].map(str::to_owned));
        table(out, &rows)?;
        writeln!(out)?;
    }
    let is_told = |way: &&Way| {
        told.iter()
            .any(|held| held.ways.iter().any(|held| held.name == way.name))
    };
    for way in WAYS.iter().filter(is_told) {
        writeln!(out, "{}: {}\n  {}", way.name, way.gives, way.remedy)?;
    }
    if !secrets.is_empty() {
        writeln!(
            out,
            "token secrets: Each holds a token that never ends, for whoever may read or mount it.\n  \
             Delete them; ask for tokens that end: kubectl create token, or a projected volume."
        )?;
    }
    if told.is_empty() && secrets.is_empty() {
        writeln!(out, "nobody")?;
    }
    Ok(())
}

/// Columns, each as wide as its widest cell; the last one is not filled up.
fn table<const N: usize>(out: &mut impl Write, rows: &[[String; N]]) -> io::Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
