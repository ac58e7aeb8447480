//! The OpenAPI 3.1 document of `/v2`, made from the handlers' annotations. What is the same everywhere (path parameters,
//! problems, the token) is added here once.

use api::Problem;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, ObjectBuilder, OpenApi as Document, Ref, RefOr, Required, ResponseBuilder, Type,
};

/// What needs no token and is described all the same: paths and methods.
const OPEN: [(&str, &[&str]); 3] = [
    (api::identity::TOKENS, &["post"]),
    (api::session::PATH, &["post", "delete"]),
    (api::ui::PATH, &["get"]),
];
/// Name of the security scheme.
const TOKEN: &str = "token";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Stack4Things",
        description = "Devices as machines of the cloud. Sign in at /identity/v3/auth/tokens and send the token as x-auth-token. Lists come in pages; every error is a problem (RFC 9457). Commands answer 202 and an operation, or 200 when ?wait= saw its end. Idempotency-Key repeats a POST or PUT safely; If-Match guards a change.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        super::identity::tokens::create,
        super::ui::settings,
        super::session::create,
        super::session::show,
        super::session::switch,
        super::session::end,
        super::boards::list,
        super::boards::show,
        super::boards::change,
        super::boards::decommission,
        super::boards::replace,
        super::boards::unpark,
        super::transfers::give,
        super::transfers::list,
        super::transfers::accept,
        super::transfers::delete,
        super::boards::rotate_key,
        super::rights::issue,
        super::boards::ping,
        super::boards::echo,
        super::boards::network,
        super::boards::reboot,
        super::boards::restart_agent,
        super::boards::act,
        super::load::read,
        super::logs::of_agent,
        super::terminals::open,
        super::forwards::forward,
        super::claims::list,
        super::claims::create,
        super::claims::show,
        super::claims::revoke,
        super::delegations::list,
        super::delegations::create,
        super::delegations::show,
        super::delegations::revoke,
        super::contributions::show,
        super::contributions::put,
        super::contributions::delete,
        super::offers::list,
        super::bookings::create,
        super::quotas::show,
        super::quotas::change,
        super::plugins::list,
        super::plugins::create,
        super::plugins::show,
        super::plugins::change,
        super::plugins::delete,
        super::injections::list,
        super::injections::status,
        super::injections::inject,
        super::injections::remove,
        super::injections::call,
        super::injections::start,
        super::injections::stop,
        super::injections::restart,
        super::injections::inject_many,
        super::logs::of_plugin,
        super::services::list,
        super::services::create,
        super::services::show,
        super::services::change,
        super::services::delete,
        super::services::exposed,
        super::services::show_exposed,
        super::services::enable,
        super::services::disable,
        super::services::restore,
        super::fleets::list,
        super::fleets::create,
        super::fleets::show,
        super::fleets::change,
        super::fleets::delete,
        super::fleets::members,
        super::fleets::act,
        super::system::show,
        super::operations::list,
        super::operations::show,
        super::operations::cancel,
        super::events::list,
        super::recordings::list,
        super::recordings::show,
        super::recordings::erase,
        super::recordings::cast,
        super::recordings::settings,
        super::recordings::set,
        super::audit::list,
        super::audit::heads,
        super::audit::consistency,
        super::audit::reads,
        super::audit::export,
        super::audit::erase,
        super::audit::show,
        super::audit::proof,
    ),
    components(schemas(Problem, api::terminals::FromCloud, api::terminals::FromClient))
)]
struct Annotated;

/// The document as pretty JSON with a line end.
#[must_use]
pub fn document() -> String {
    let mut document = Annotated::openapi();
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            complete(path, operation);
        }
    }
    secure(&mut document);
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, patch, delete, .. } = item;
    [get, put, post, patch, delete].into_iter().flatten()
}

fn complete(path: &str, operation: &mut Operation) {
    let noun = operation.tags.as_ref().and_then(|tags| tags.first()).cloned().unwrap_or_default();
    let name = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(format!("{noun}_{name}"));
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters = names.map(|name| {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(describe(name)))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
            .build();
        RefOr::T(parameter)
    });
    let list = operation.parameters.get_or_insert_default();
    list.splice(0..0, parameters);
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            describe_status(status).clone_into(&mut response.description);
        }
    }
    let problem = ResponseBuilder::new()
        .description("A problem")
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))))
        .build();
    operation.responses.responses.insert("default".into(), RefOr::T(problem));
}

fn describe_status(status: &str) -> &'static str {
    match status {
        "101" => "A WebSocket from here on",
        "201" => "Made",
        "202" => "Begun; ask for its end at /v2/operations/{operation}",
        "204" => "Done, nothing to say",
        _ => "Done",
    }
}

fn describe(name: &str) -> &'static str {
    match name {
        "claim" | "operation" => "Id",
        "seq" => "Number",
        "plugin" => "Id or name; public plugins of other projects by id",
        _ => "Id or name",
    }
}

fn secure(document: &mut Document) {
    let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-auth-token")));
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert(TOKEN.into(), scheme.into());
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, [])]);
    for (path, methods) in OPEN {
        let Some(item) = document.paths.paths.get_mut(path) else { continue };
        let PathItem { get, post, delete, .. } = item;
        for (name, operation) in [("get", get), ("post", post), ("delete", delete)] {
            let Some(operation) = operation.as_mut().filter(|_| methods.contains(&name)) else {
                continue;
            };
            operation.security = Some(vec![SecurityRequirement::default()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_of_v2_is_described_and_nothing_else() {
        let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        let is_documented = |route: &routes::Route| match route.access {
            routes::Access::Public => OPEN.iter().any(|(path, _)| *path == route.path),
            routes::Access::May(_) => route.path.starts_with("/v2/"),
        };
        let table = routes::table();
        let routed = table.iter().filter(|route| is_documented(route));
        let routed: BTreeSet<_> =
            routed.map(|route| format!("{} {}", route.method, route.path)).collect();
        assert_eq!(described, routed);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer} is described nowhere");
        }
    }

    #[test]
    fn operation_ids_are_unique() {
        let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
        let mut ids = BTreeSet::new();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} twice");
            }
        }
    }

    #[test]
    fn the_committed_document_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == document(), "docs/openapi.json is old: run `cargo xtask openapi`");
    }
}
