//! Fields of a JSON document, as JSON pointers (`/plan/owner`), and which of them a change touches.
//!
//! A *field* is reached through objects only: a list is one field, whatever changes in it. The empty pointer is the
//! whole document, and a field that is taken away or replaced stands for all that was below it.

use serde_json::{Map, Value};

/// The most fields of one change that are kept apart; past it the whole document counts as changed.
const MOST: usize = 1_000;

/// The fields that differ between two documents.
pub(crate) fn changed(before: &Value, after: &Value) -> Vec<String> {
    let mut fields = Vec::new();
    compare(String::new(), Some(before), Some(after), &mut fields);
    bounded(fields)
}

fn compare(path: String, before: Option<&Value>, after: Option<&Value>, fields: &mut Vec<String>) {
    let empty = Map::new();
    let (old, new) = match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => (old, new),
        // An object that was not there before is known by its parts, so that others may add theirs.
        (None, Some(Value::Object(new))) if !new.is_empty() => (&empty, new),
        (before, after) if before == after => return,
        _ => return fields.push(path),
    };
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        compare(below(&path, name), old.get(name), new.get(name), fields);
    }
}

/// The fields that a JSON merge patch names.
pub(crate) fn named_by_merge(patch: &Value) -> Vec<String> {
    let mut fields = Vec::new();
    if patch.as_object().is_none_or(|parts| !parts.is_empty()) {
        leaves(String::new(), patch, &mut fields);
    }
    bounded(fields)
}

fn leaves(path: String, value: &Value, fields: &mut Vec<String>) {
    match value {
        Value::Object(parts) if !parts.is_empty() => {
            parts.iter().for_each(|(name, part)| leaves(below(&path, name), part, fields));
        }
        _ => fields.push(path),
    }
}

/// The fields that a JSON patch names, in the document as it is now.
pub(crate) fn named_by_operations(patch: &Value, document: &Value) -> Vec<String> {
    let operations = patch.as_array().map(Vec::as_slice).unwrap_or_default();
    let paths = operations.iter().flat_map(|operation| ["path", "from"].map(|name| operation.get(name)));
    let fields = paths.flatten().filter_map(Value::as_str).map(|path| field_of(path, document)).collect();
    bounded(fields)
}

/// The field that holds what a pointer points at: it ends at the first list.
fn field_of(pointer: &str, document: &Value) -> String {
    let mut place = Some(document);
    let mut field = String::new();
    for part in pointer.split('/').skip(1) {
        if place.is_some_and(Value::is_array) {
            break;
        }
        field = format!("{field}/{part}");
        let name = part.replace("~1", "/").replace("~0", "~");
        place = place.and_then(|value| value.get(&name));
    }
    field
}

/// Whether one field is the other, or holds it.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let holds = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    holds(one, other) || holds(other, one)
}

fn below(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn bounded(mut fields: Vec<String>) -> Vec<String> {
    if fields.len() > MOST {
        return vec![String::new()];
    }
    fields.sort();
    fields.dedup();
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_is_what_lies_at_the_end_of_objects() {
        let before = json!({"a": 1, "b": {"c": 2, "d": [1, 2]}, "gone": {"x": 1}});
        let after = json!({"a": 1, "b": {"c": 3, "d": [1, 3]}, "new": {"y": {"z": 1}}, "e~/": 0});
        assert_eq!(changed(&before, &after), ["/b/c", "/b/d", "/e~0~1", "/gone", "/new/y/z"]);
        assert_eq!(changed(&before, &before), [""; 0]);
        assert_eq!(changed(&json!({"a": 1}), &json!({"a": {"b": 1}})), ["/a"]);
        assert_eq!(named_by_merge(&json!({"a": {"b": null, "c": []}, "d": 1})), ["/a/b", "/a/c", "/d"]);
        assert_eq!(named_by_merge(&json!({})), [""; 0]);
    }

    #[test]
    fn operations_name_the_list_that_they_reach_into() {
        let document = json!({"a": {"list": [{"x": 1}]}, "b": 1});
        let patch = json!([
            {"op": "replace", "path": "/a/list/0/x", "value": 2},
            {"op": "move", "from": "/b", "path": "/c/d"},
        ]);
        assert_eq!(named_by_operations(&patch, &document), ["/a/list", "/b", "/c/d"]);
    }

    #[test]
    fn a_field_overlaps_with_itself_and_with_what_holds_it() {
        for (one, other, together) in [
            ("/a", "/a", true),
            ("/a", "/a/b", true),
            ("/a/b", "/a", true),
            ("", "/a", true),
            ("/a", "/ab", false),
            ("/a/b", "/a/c", false),
        ] {
            assert_eq!(overlap(one, other), together, "{one} and {other}");
        }
    }
}
