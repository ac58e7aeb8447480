//! The routes below `/identity`.

use super::{
    access_rules, assignments, catalog, credentials, discovery, domains, projects, roles, tokens,
    users,
};
use crate::http::routes::{OPEN, Route, delete, get, operate, patch, post, put, read};

/// All of them.
pub(crate) fn all() -> Vec<Route> {
    let parts = [public(), signed_in(), people(), roles_of_people(), programs()];
    parts.into_iter().flatten().collect()
}

fn public() -> Vec<Route> {
    vec![
        get("/identity", OPEN, discovery::versions),
        get("/identity/", OPEN, discovery::versions),
        get("/identity/v3", OPEN, discovery::v3),
        get("/identity/v3/", OPEN, discovery::v3),
        post("/identity/v3/auth/tokens", OPEN, tokens::create),
    ]
}

fn signed_in() -> Vec<Route> {
    vec![
        get("/identity/v3/auth/tokens", read("token:get"), tokens::show),
        delete("/identity/v3/auth/tokens", read("token:revoke"), tokens::revoke),
        get("/identity/v3/auth/projects", read("token:projects"), projects::mine),
        get("/identity/v3/auth/domains", read("token:domains"), domains::mine),
        get("/identity/v3/auth/catalog", read("catalog:get"), catalog::mine),
        get("/identity/v3/services", operate("catalog:services"), catalog::services),
        get("/identity/v3/endpoints", operate("catalog:endpoints"), catalog::endpoints),
        get("/identity/v3/regions", read("catalog:regions"), catalog::regions),
        get("/identity/v3/domains", operate("domain:get"), domains::list),
        get("/identity/v3/domains/{domain}", read("domain:get_one"), domains::show),
    ]
}

fn people() -> Vec<Route> {
    const PROJECT: &str = "/identity/v3/projects/{project}";
    const USER: &str = "/identity/v3/users/{user}";
    vec![
        get("/identity/v3/projects", operate("project:get"), projects::list),
        post("/identity/v3/projects", operate("project:create"), projects::create),
        get(PROJECT, read("project:get_one"), projects::show),
        patch(PROJECT, operate("project:update"), projects::change),
        delete(PROJECT, operate("project:delete"), projects::delete),
        get("/identity/v3/users", operate("user:get"), users::list),
        post("/identity/v3/users", operate("user:create"), users::create),
        get(USER, read("user:get_one"), users::show),
        patch(USER, operate("user:update"), users::change),
        delete(USER, operate("user:delete"), users::delete),
        post("/identity/v3/users/{user}/password", read("user:password"), users::password),
        get("/identity/v3/users/{user}/projects", read("user:projects"), projects::of_user),
    ]
}

fn roles_of_people() -> Vec<Route> {
    const ONE: &str = "/identity/v3/roles/{role}";
    const GIVEN: &str = "/identity/v3/projects/{project}/users/{user}/roles/{role}";
    const ALL_GIVEN: &str = "/identity/v3/projects/{project}/users/{user}/roles";
    vec![
        get("/identity/v3/roles", operate("role:get"), roles::list),
        post("/identity/v3/roles", operate("role:create"), roles::create),
        get(ONE, operate("role:get_one"), roles::show),
        patch(ONE, operate("role:update"), roles::change),
        delete(ONE, operate("role:delete"), roles::delete),
        get(ALL_GIVEN, operate("role:assigned"), assignments::of_user),
        get(GIVEN, operate("role:check"), assignments::check),
        put(GIVEN, operate("role:assign"), assignments::assign),
        delete(GIVEN, operate("role:unassign"), assignments::unassign),
        get("/identity/v3/role_assignments", read("assignment:get"), assignments::list),
    ]
}

fn programs() -> Vec<Route> {
    const CREDENTIALS: &str = "/identity/v3/users/{user}/application_credentials";
    const CREDENTIAL: &str = "/identity/v3/users/{user}/application_credentials/{credential}";
    const RULES: &str = "/identity/v3/users/{user}/access_rules";
    const RULE: &str = "/identity/v3/users/{user}/access_rules/{rule}";
    vec![
        get(CREDENTIALS, read("credential:get"), credentials::list),
        post(CREDENTIALS, read("credential:create"), credentials::create),
        get(CREDENTIAL, read("credential:get_one"), credentials::show),
        delete(CREDENTIAL, read("credential:delete"), credentials::delete),
        get(RULES, read("access_rule:get"), access_rules::list),
        get(RULE, read("access_rule:get_one"), access_rules::show),
        delete(RULE, read("access_rule:delete"), access_rules::delete),
    ]
}
