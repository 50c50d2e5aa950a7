//! Way 14: another identity is written on an account, or other pull secrets.

use super::Tenants;

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
