//! Ways 13 and 14: an account is made that a binding names already; another identity is written on one, or other pull secrets.

use super::Tenants;
use crate::real::controlplane::plane;

const WEBHOOK: &str = "validate-accounts.usher.dev";

#[test]
fn another_identity_is_written_on_an_account() {
    let tenants = Tenants::new("accounts");
    let annotate = |account| {
        [
            "annotate",
            "serviceaccount",
            account,
            "eks.amazonaws.com/role-arn=arn:aws:iam::1:role/admin",
        ]
    };
    let pulls = [
        "patch",
        "serviceaccount",
        "deployer",
        "-p",
        "{\"imagePullSecrets\": [{\"name\": \"registry\"}]}",
    ];
    for way in [&annotate("deployer")[..], &pulls] {
        tenants.free.run(way).passes();
        tenants.guarded.run(way).refused_by(
            WEBHOOK,
            "ways-accounts-jane may not use serviceaccount \"deployer\" in namespace ways-accounts",
        );
    }
    // Daily work.
    let guarded = &tenants.guarded;
    for work in [
        &["create", "serviceaccount", "web"][..],
        &["label", "serviceaccount", "web", "color=blue"],
        &["annotate", "serviceaccount", "web", "color=blue"],
        &[
            "patch",
            "serviceaccount",
            "default",
            "-p",
            "{\"imagePullSecrets\": [{\"name\": \"registry\"}]}",
        ],
        &["delete", "serviceaccount", "web"],
    ] {
        guarded.run(work).passes();
    }
    guarded.grant("serviceaccounts/deployer");
    for way in [&annotate("deployer")[..], &pulls] {
        guarded.run(way).passes();
    }
}

#[test]
fn an_account_is_made_that_a_binding_names_already() {
    let tenants = Tenants::new("named");
    for team in tenants.both() {
        let subject = format!("--serviceaccount={}:gone", team.namespace);
        let binding = [
            "create",
            "rolebinding",
            "gone",
            "--clusterrole=admin",
            &subject,
        ];
        let namespace = ["-n", team.namespace.as_str()];
        plane().run(&[&namespace[..], &binding].concat()).unwrap();
    }
    let make = ["create", "serviceaccount", "gone"];
    tenants.free.run(&make).passes();
    tenants.guarded.run(&make).refused_by(
        WEBHOOK,
        "ways-named-jane may not use serviceaccount \"gone\" in namespace ways-named (metadata.name)",
    );
    tenants
        .guarded
        .run(&["create", "serviceaccount", "new"])
        .passes();
    tenants.guarded.grant("serviceaccounts/gone");
    tenants.guarded.run(&make).passes();
}
