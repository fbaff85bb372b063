//! Records and summaries as lines of JSON (`docs/json.md`).

use ctdl_dump::codec::identity::hex;
use ctdl_dump::record::{Body, Header, Kind, Value};
use ctdl_dump::transfer::Summary;
use serde_json::{Map, Value as Json, json};

/// A record. The value of a setting is its body, so it is shown.
pub fn record(header: &Header) -> Json {
    let fields: Map<String, Json> = header.fields.iter().map(|(name, field)| (name.to_owned(), value(field))).collect();
    let mut line = json!({"kind": header.kind.name(), "key": format!("{:#}", header.key), "fields": fields,
        "body_bytes": header.body.as_ref().map(Body::length)});
    if let (Kind::Config, Some(Body::Inline(body))) = (header.kind, &header.body) {
        line["value"] = text(body);
    }
    line
}

/// The value of a field.
pub fn value(value: &Value) -> Json {
    match value {
        Value::Int(value) => json!(value),
        Value::String(value) => text(value),
        Value::Binary(_) => json!({"bytes": value.to_string()}),
        Value::Owner(owner) => json!({"number": owner.number, "name": owner.name}),
    }
}

/// A string if it is one, else its bytes in hexadecimal.
pub fn text(bytes: &[u8]) -> Json {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"bytes": Value::Binary(bytes.to_owned()).to_string()}),
    }
}

/// Records and body bytes by kind.
pub fn kinds(kinds: &[(Kind, ctdl_dump::codec::manifest::Count)]) -> Json {
    let kinds = kinds.iter().map(|(kind, count)| {
        (kind.name().to_owned(), json!({"records": count.records, "body_bytes": count.body_bytes}))
    });
    Json::Object(kinds.collect())
}

/// What was copied.
pub fn summary(summary: &Summary) -> Json {
    let left_out: Vec<Json> =
        summary.left_out.iter().map(|(kind, what)| json!({"kind": kind.name(), "what": what})).collect();
    json!({"records": summary.records(), "body_bytes": summary.body_bytes(), "kinds": kinds(&summary.kinds),
        "site_digest": hex(&summary.site_digest), "state_after": summary.end.state_after, "left_out": left_out})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_given_in_hexadecimal() {
        assert_eq!(text("Zoë".as_bytes()), json!("Zoë"));
        assert_eq!(text(b"J\xf6rg"), json!({"bytes": "4af67267"}));
        assert_eq!(value(&Value::Binary(b"abc".to_vec())), json!({"bytes": "616263"}));
    }
}
