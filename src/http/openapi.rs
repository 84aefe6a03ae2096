//! `/openapi.json`: what can be asked, and what the answers look like (OpenAPI 3.1).

use super::{App, api, feed, problem};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

/// One address, what it answers, and what it may be asked with.
struct Address {
    path: &'static str,
    about: &'static str,
    asks: &'static [&'static str],
    /// The media type and the schema of the answer.
    answer: (&'static str, fn() -> Value),
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

const ADDRESSES: &[Address] = &[
    Address {
        path: "/api/v1/status",
        about: "What is down, now or at a time.",
        asks: api::STATUS,
        answer: (JSON, || of("Status")),
    },
    Address {
        path: "/api/v1/incidents",
        about: "Incidents, newest first.",
        asks: api::INCIDENTS,
        answer: (JSON, || many("Incident")),
    },
    Address {
        path: "/api/v1/incidents/{id}",
        about: "One incident, told.",
        asks: api::NOTHING,
        answer: (JSON, || of("Timeline")),
    },
    Address {
        path: "/api/v1/spikes",
        about: "Where more people reported than usual, newest first; of the last day unless `since` says otherwise.",
        asks: api::SPIKES,
        answer: (JSON, || many("Spike")),
    },
    Address {
        path: "/api/v1/series",
        about: "Counts with the band in which they are expected; of the last day unless `since` says otherwise.",
        asks: api::SERIES,
        answer: (JSON, || many("SeriesPoint")),
    },
    Address {
        path: "/api/v1/sources",
        about: "How each source fares.",
        asks: api::NOTHING,
        answer: (JSON, || many("Source")),
    },
    Address {
        path: "/api/v1/services",
        about: "The catalogue.",
        asks: api::NOTHING,
        answer: (JSON, || many("Service")),
    },
    Address {
        path: "/api/v1/events",
        about: "Changes as they come, as server-sent events: `status` and `incident`.",
        asks: api::NOTHING,
        answer: ("text/event-stream", text),
    },
    Address {
        path: "/feed.atom",
        about: "The newest 50 incidents as an Atom feed.",
        asks: feed::ASKS,
        answer: (feed::KIND, text),
    },
    Address {
        path: "/metrics",
        about: "Numbers for Prometheus, text format 0.0.4.",
        asks: api::NOTHING,
        answer: ("text/plain; version=0.0.4; charset=utf-8", text),
    },
    Address {
        path: "/openapi.json",
        about: "This document.",
        asks: api::NOTHING,
        answer: (JSON, || json!({"type": "object"})),
    },
    Address { path: "/healthz", about: "The server answers.", asks: api::NOTHING, answer: (TEXT, text) },
    Address {
        path: "/readyz",
        about: "The job behind it keeps up with the time; 503 with the reason where it does not.",
        asks: api::NOTHING,
        answer: (TEXT, text),
    },
];

pub async fn document(State(app): State<App>, headers: HeaderMap) -> Response {
    let services: Vec<&str> = app.listed.iter().map(|service| service.id.as_str()).collect();
    api::tagged(&headers, JSON, whole(&services).to_string().into_bytes())
}

fn whole(services: &[&str]) -> Value {
    let paths: Map<String, Value> =
        ADDRESSES.iter().map(|address| (address.path.to_owned(), json!({"get": operation(address)}))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "whatsdown",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Outages of services, as people tell of them in public. Everything can be read and nothing changed. \
                Times are UTC, RFC 3339. Fields are added, never renamed or dropped: ignore those you do not know.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas(services), "responses": {"Problem": {
            "description": "What is wrong, and what to do: problem details (RFC 9457)",
            "content": {problem::KIND: {"schema": of("Problem")}},
        }}},
    })
}

fn operation(address: &Address) -> Value {
    let mut parameters: Vec<Value> = address.asks.iter().map(|word| parameter(word)).collect();
    if address.path.contains("{id}") {
        parameters.push(json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"},
            "description": "An incident's id, as /api/v1/incidents gives it"}));
    }
    if address.path == "/api/v1/series" {
        for parameter in parameters.iter_mut().filter(|parameter| parameter["name"] == "service") {
            parameter["required"] = true.into();
        }
    }
    let (kind, schema) = address.answer;
    let mut answer = json!({"description": "The answer", "content": {kind: {"schema": schema()}}});
    if address.asks.contains(&"cursor") {
        answer["headers"] = json!({"Link": {
            "description": "Where there is more: <…>; rel=\"next\"", "schema": {"type": "string"},
        }});
    }
    let problem = || json!({"$ref": "#/components/responses/Problem"});
    let mut responses = json!({"200": answer, "429": problem(), "503": problem()});
    let mut may = |code: &str, when: bool, what: Value| {
        if when {
            responses[code] = what;
        }
    };
    may("304", kind == JSON || kind == feed::KIND, json!({"description": "As `If-None-Match` has it already"}));
    may("400", address.path.starts_with("/api/") || !address.asks.is_empty(), problem());
    may("404", address.path.contains("{id}"), problem());
    json!({
        "operationId": address.path.trim_start_matches('/').replace(['/', '.', '{', '}'], "_"),
        "summary": address.about,
        "parameters": parameters,
        "responses": responses,
    })
}

fn parameter(word: &str) -> Value {
    let time = r"^([0-9]{1,6}[smhdwy]|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}Z)?)?)$";
    let (about, schema) = match word {
        "service" => ("An id of /api/v1/services", of("ServiceId")),
        "region" => (
            "`world`, a country (ISO 3166-1 alpha-2) or a part of one (ISO 3166-2), with its parts",
            json!({"type": "string", "pattern": "^(world|[A-Z]{2}(-[A-Z0-9]{1,3})?)$"}),
        ),
        "since" => (
            "What overlaps the time from here on: so long ago (`2h`), or a time",
            json!({"type": "string", "pattern": time}),
        ),
        "until" => ("And up to here", json!({"type": "string", "pattern": time})),
        "at" => ("As it was then", json!({"type": "string", "pattern": time})),
        "step" => (
            "Whole minutes: `5m`, `1h`",
            json!({"type": "string", "pattern": "^[1-9][0-9]{0,4}[mhd]$", "default": "5m"}),
        ),
        "open" => ("Only what is not over", json!({"type": "boolean", "default": false})),
        "limit" => {
            ("Rows at the most", json!({"type": "integer", "minimum": 1, "maximum": api::ROWS, "default": api::ROWS}))
        }
        _ => (
            "Where to go on, as the `Link` of an answer says",
            json!({"type": "string", "pattern": r"^-?[0-9]{1,12}\..*$"}),
        ),
    };
    json!({"name": word, "in": "query", "description": about, "schema": schema})
}

fn of(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn many(schema: &str) -> Value {
    json!({"type": "array", "items": of(schema)})
}

fn text() -> Value {
    json!({"type": "string"})
}

/// An object of which every field is always there.
fn object(fields: &Value) -> Value {
    let names: Vec<&String> = fields.as_object().into_iter().flat_map(Map::keys).collect();
    json!({"type": "object", "properties": fields, "required": names})
}

fn schemas(services: &[&str]) -> Value {
    let time = || json!({"type": "string", "format": "date-time"});
    let or_null = |schema: Value| json!({"anyOf": [schema, {"type": "null"}]});
    let list = |schema: Value| json!({"type": "array", "items": schema});
    let whole = || json!({"type": "integer", "minimum": 0});
    let real = || json!({"type": "number"});
    let share = || json!({"type": "number", "minimum": 0, "maximum": 1});
    let words = |words: &[&str]| json!({"type": "string", "enum": words});
    let string_or_null = || json!({"type": ["string", "null"]});
    let incident = json!({
        "id": text(), "service": text(), "state": words(&["ongoing", "recovering", "resolved"]),
        "start": of("Interval"), "end": or_null(of("Interval")), "detected_at": time(), "acknowledged_at": or_null(time()),
        "peak": of("Peak"), "reports": whole(), "authors": whole(), "confidence": share(),
        "regions": list(object(&json!({
            "region": text(), "start": of("Interval"), "end": or_null(of("Interval")), "peak": of("Peak"), "reports": whole(),
        }))),
        "symptoms": list(object(&json!({"symptom": text(), "share": share()}))),
        "surfaces": list(object(&json!({"surface": words(&["app", "web", "api"]), "share": share()}))),
        "phases": list(object(&json!({
            "phase": words(&["onset", "acknowledged", "partial_recovery", "relapse", "recovery", "resolved"]),
            "at": time(), "evidence": list(text()),
        }))),
        "related": list(object(&json!({"incident": text(), "relation": words(&["same-cause", "echo-of"])}))),
        "corrections": list(object(&json!({"at": time(), "what": text(), "from": {}, "to": {}, "why": text()}))),
        "retracted_at": or_null(time()),
    });
    let told = json!({
        "headline": text(), "now": time(), "method": list(text()), "unknown": list(text()),
        "course": list(of("SeriesPoint")),
        "entries": list(json!({
            "type": "object", "required": ["at", "kind", "text", "evidence"],
            "properties": {
                "at": time(), "kind": text(), "text": text(), "evidence": list(text()),
                "counts": list(object(&json!({
                    "region": text(), "from": time(), "until": time(), "observed": whole(), "expected": real(),
                }))),
            },
        })),
    });
    json!({
        "ServiceId": words(services),
        "Interval": object(&json!({"estimate": time(), "low": time(), "high": time()})),
        "Peak": object(&json!({"at": time(), "observed": whole(), "expected": real()})),
        "Incident": object(&incident),
        "Timeline": {"allOf": [of("Incident"), object(&told)]},
        "Spike": object(&json!({
            "at": time(), "until": time(), "service": text(), "region": text(), "observed": whole(), "expected": real(),
            "score": real(), "incident": string_or_null(), "echo_of": string_or_null(),
        })),
        "Status": object(&json!({"at": time(), "services": list(object(&json!({
            "service": text(), "state": words(&["up", "down", "recovering", "unknown"]), "since": or_null(time()),
            "regions": list(text()), "incident": string_or_null(),
        })))})),
        "SeriesPoint": object(&json!({
            "at": time(), "observed": whole(), "expected": real(), "low": real(), "high": real(), "heard": share(),
            "incident": string_or_null(),
        })),
        "Source": object(&json!({
            "source": text(), "state": words(&["ok", "backfilling", "degraded", "silent", "stopped", "replayed"]),
            "last_success": or_null(time()), "lag_seconds": or_null(whole()), "budget_left": or_null(whole()),
            "errors": whole(), "odd": whole(),
            "last_error": or_null(object(&json!({"at": time(), "message": text(), "retry_at": or_null(time())}))),
            "heard_last_hour": share(), "posts_last_hour": whole(),
            "promptness": or_null(object(&json!({"posts": whole(), "within": list(list(real()))}))),
            "cursor": string_or_null(), "posts": whole(),
            "gaps": list(object(&json!({"from": time(), "until": time(), "why": string_or_null()}))),
        })),
        "Service": object(&json!({
            "id": text(), "name": text(), "hashtags": list(text()),
            "accounts": {"type": "object", "additionalProperties": list(text())}, "status": string_or_null(), "dialect": string_or_null(),
        })),
        "Problem": {
            "type": "object", "required": ["type", "title", "status", "detail"],
            "properties": {"type": text(), "title": text(), "status": whole(), "detail": text(), "hint": text()},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every address for programs that the router has stands here, and the reverse. Pages are for people.
    #[test]
    fn the_router_and_the_document_have_the_same_addresses() {
        let routes = include_str!("mod.rs").split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
        let plain = ["/metrics", "/healthz", "/readyz", "/feed.atom", "/openapi.json"];
        let for_programs = |path: &&str| path.starts_with("/api/") || plain.contains(path);
        let mut routed: Vec<&str> = routes.filter(for_programs).collect();
        let mut told: Vec<&str> = ADDRESSES.iter().map(|address| address.path).collect();
        routed.sort_unstable();
        told.sort_unstable();
        assert_eq!(routed, told);
    }
}
