//! Ways 6: a connection into a pod that runs as another account. There is no kubelet here, so that a connection which the
//! API server admits ends with its own sentence: the pod has no node yet.

use super::Tenants;

const WEBHOOK: &str = "validate-connections.usher.dev";
/// What the API server says when it would connect.
const ADMITTED: &str = "does not have a host assigned";

#[test]
fn exec_attach_and_copy_into_a_pod_of_another_account() {
    let tenants = Tenants::new("exec");
    tenants.pod("web", "serviceAccountName: deployer");
    tenants.pod("own", "");
    let ways: [&[&str]; 3] = [
        &["exec", "web", "--", "cat", "/var/run/secrets/token"],
        &["attach", "web"],
        &["cp", "web:/var/run/secrets/token", "/dev/null"],
    ];
    for way in ways {
        let said = tenants.free.run(way);
        assert!(said.stderr.contains(ADMITTED), "{way:?}: {said:?}");
        tenants.guarded.run(way).refused_by(
            WEBHOOK,
            "ways-exec-jane may not use serviceaccount \"deployer\" in namespace ways-exec (pod web: spec.serviceAccountName)\n\
             needs: verb use on serviceaccounts \"deployer\" in ways-exec",
        );
        // Daily work, in pods of the account that everybody may use.
        let own: Vec<_> = way
            .iter()
            .map(|word| word.replacen("web", "own", 1))
            .collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let said = tenants.guarded.run(&own);
        assert!(said.stderr.contains(ADMITTED), "{own:?}: {said:?}");
    }
    tenants.guarded.grant("serviceaccounts/deployer");
    for way in ways {
        let said = tenants.guarded.run(way);
        assert!(said.stderr.contains(ADMITTED), "{way:?}: {said:?}");
    }
}

#[test]
fn a_forwarded_port_and_the_proxies_are_told_of_and_refused_where_that_is_chosen() {
    let tenants = Tenants::new("proxies");
    tenants.pod("web", "serviceAccountName: deployer");
    // What the API server itself says of it when it would connect: the pod has no node and no address, and no service is there.
    let (nowhere, unknown) = ("address not allowed", "services \"web\" not found");
    for (below, method, admitted) in [
        // kubectl itself forwards nothing to a pod that does not run.
        ("pods/web/portforward?ports=80", "create", ADMITTED),
        ("pods/web/proxy/", "get", nowhere),
        ("pods/web:80/proxy/", "get", nowhere),
        ("pods/https:web:443/proxy/", "get", nowhere),
        ("services/web/proxy/", "get", unknown),
        ("services/http:web:metrics/proxy/", "get", unknown),
    ] {
        let [free, guarded] = tenants.both().map(|team| {
            let path = format!("/api/v1/namespaces/{}/{below}", team.namespace);
            let mut args = vec![method, "--raw", &*path];
            if method == "create" {
                args.extend(["-f", "/dev/null"]);
            }
            team.run(&args)
        });
        assert!(free.stderr.contains(admitted), "{below}: {free:?}");
        guarded.refused_by(WEBHOOK, " may not use ");
    }
}
